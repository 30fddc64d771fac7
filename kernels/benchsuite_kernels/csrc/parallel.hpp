// A loop over items, shared among threads that live for this call alone.
//
// No pool and no OpenMP: both leave threads that a forked child does not have, and hang in it.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace benchsuite {

// Who takes part in a loop. On a busy machine a thread that was started may have to wait for a
// processor longer than the whole loop takes: one that has not begun by the end is not waited for,
// and does nothing when it does begin. So helpers hold nothing of the loop but this.
class Crew {
 public:
  // Whether a helper may begin; if so, it calls `leave` when it is done.
  bool join() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!closed_) ++at_work_;
    return !closed_;
  }

  void leave() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--at_work_ == 0) left_.notify_one();
  }

  // Lets nobody begin any more, and waits for those who have.
  void close() {
    std::unique_lock<std::mutex> lock(mutex_);
    closed_ = true;
    left_.wait(lock, [this] { return at_work_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  int at_work_ = 0;
  bool closed_ = false;
};

// Calls work(item, worker) for every item in [0, items), on up to `threads` workers numbered from
// 0, and on fewer where a worker would get less than `grain` items, since starting one costs some
// 20 us. Each item is done by one worker alone, so results do not depend on the number of threads.
// The first exception of any worker is thrown here, after all have stopped.
template <class Work>
void for_each_item(int64_t items, int64_t grain, int threads, const Work& work) {
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failing;
  const auto run = [&](int worker) {
    try {
      for (int64_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < items;)
        work(item, worker);
    } catch (...) {
      next.store(items, std::memory_order_relaxed);
      const std::lock_guard<std::mutex> lock(failing);
      if (!failure) failure = std::current_exception();
    }
  };
  const int wanted = static_cast<int>(std::min<int64_t>(threads, items / grain));
  if (wanted <= 1) {
    run(0);
  } else {
    const auto crew = std::make_shared<Crew>();
    try {
      for (int worker = 1; worker < wanted; ++worker)
        std::thread([crew, worker, &run] {
          if (!crew->join()) return;
          run(worker);
          crew->leave();
        }).detach();
    } catch (const std::system_error&) {
      // The system gives no more threads: those there are do the work.
    }
    run(0);
    crew->close();
  }
  if (failure) std::rethrow_exception(failure);
}

// The grain for items that take so many steps of about a nanosecond in all: one that leaves no
// worker less than four times what starting it costs.
inline int64_t grain_of(int64_t items, int64_t steps) {
  constexpr int64_t kLeastSteps = 80000;
  return std::max<int64_t>(1, items * kLeastSteps / std::max<int64_t>(steps, 1));
}

}  // namespace benchsuite

// A loop over items, shared among threads that live for this call alone.
//
// No pool and no OpenMP: both leave threads that a forked child does not have, and hang in it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace benchsuite {

// Calls work(item, worker) for every item in [0, items), on up to `threads` workers numbered from
// 0, and on fewer where a worker would get less than `grain` items, since starting one costs some
// 20 us. Each item is done by one worker alone, so results do not depend on the number of threads.
// The first exception of any worker is thrown here, after all have stopped.
template <class Work>
void for_each_item(int64_t items, int64_t grain, int threads, const Work& work) {
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failing;
  auto run = [&](int worker) {
    try {
      for (int64_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < items;)
        work(item, worker);
    } catch (...) {
      next.store(items, std::memory_order_relaxed);
      const std::lock_guard<std::mutex> lock(failing);
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> helpers;
  const int wanted = static_cast<int>(std::min<int64_t>(threads, items / grain));
  helpers.reserve(wanted > 1 ? wanted - 1 : 0);
  try {
    for (int worker = 1; worker < wanted; ++worker) helpers.emplace_back(run, worker);
  } catch (const std::system_error&) {
    // The system gives no more threads: those there are do the work.
  }
  run(0);
  for (auto& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
}

// The grain for items that take so many steps of about a nanosecond in all: one that leaves no
// worker less than four times what starting it costs.
inline int64_t grain_of(int64_t items, int64_t steps) {
  constexpr int64_t kLeastSteps = 80000;
  return std::max<int64_t>(1, items * kLeastSteps / std::max<int64_t>(steps, 1));
}

}  // namespace benchsuite

// Runs the blocks of a launch one after another; the threads of a block are fibers, which switch
// only where they wait for each other.
//
// In which order threads run is free in CUDA, so it is free here: see Order. A kernel whose result
// depends on it lacks a barrier.
#pragma once

#include "fiber.hpp"

#include <cstdarg>
#include <cstring>

namespace emulation {

struct Index {
  unsigned x, y, z;
};

// Where a kernel's source waits.
struct Site {
  const char* function;
  const char* file;
  int line;
  bool operator==(const Site& other) const {
    return line == other.line && function == other.function && file == other.file;
  }
};

enum Order : int { kForward, kReversed, kShuffled, kWarps };

// As the host's launcher fills it.
struct Launch {
  Index grid, block;
  long long shared_bytes;
  int order;
  unsigned seed;
  char* message;  // kMessageBytes
};

constexpr int kMostThreads = 1024;
constexpr int kWarp = 32;
constexpr int kMostListed = 8;
constexpr int kMessageBytes = 2048;

enum class State : uint8_t { kNew, kReady, kAtBlock, kAtWarp, kReturned };

struct Thread;
// Computes what the threads of `mask` in a warp get, from what each of them gave.
using Meet = void (*)(Thread* warp, unsigned mask);

struct Thread {
  State state;
  Fiber* fiber;
  Index index;
  Site site;       // where it waits
  unsigned mask;   // with whom, at a warp's meeting
  Meet meet;       // for what
  uint64_t given;  // to the meeting
  int wanted;      // lane
  uint64_t taken;  // from the meeting
};

// One block at a time: all of this is one block's, and the pool of fibers.
inline Thread threads[kMostThreads];
inline int count, returned, at_block, current;

// By warp, a bit a lane: who waits at a meeting, and who may still come to one.
inline unsigned at_warp[kMostThreads / kWarp], present[kMostThreads / kWarp];
inline Index block_index, block_size, grid_size;
inline Context host;
inline void (*body)(const void*);
inline const void* body_arguments;

inline Fiber fibers[kMostThreads];
inline Fiber* idle[kMostThreads];
inline int fibers_started, fibers_idle;

inline const char* kernel_name;
inline char failure[kMessageBytes];

inline char* dynamic_shared_memory;

// The threads that may run. Which of them comes next is the order.
struct Ready {
  int queue[2 * kMostThreads];
  int first, last;
  Order order;
  unsigned long long random;

  unsigned draw(unsigned limit) {  // splitmix64
    unsigned long long z = random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return static_cast<unsigned>((z ^ z >> 31) % limit);
  }
  bool empty() const { return first == last; }
  void push(int thread) {
    if (last == 2 * kMostThreads) {
      std::memmove(queue, queue + first, sizeof(int) * (last - first));
      last -= first;
      first = 0;
    }
    queue[last++] = thread;
  }
  // Threads [begin, end) of which `chosen` is true.
  template <class Chosen>
  void push_all(int begin, int end, Chosen chosen) {
    if (order == kForward || order == kShuffled)
      for (int i = begin; i < end; ++i) {
        if (chosen(i)) push(i);
      }
    else
      for (int i = end - 1; i >= begin; --i)
        if (chosen(i)) push(i);
  }
  int pop() {
    if (order == kWarps) return queue[--last];  // who waited last goes on: a warp runs far ahead
    if (order == kShuffled) {
      const int at = first + static_cast<int>(draw(static_cast<unsigned>(last - first)));
      const int thread = queue[at];
      queue[at] = queue[first];
      queue[first] = thread;
    }
    return queue[first++];
  }
};
inline Ready ready;

inline void append(const char* format, ...) {
  const size_t used = std::strlen(failure);
  va_list values;
  va_start(values, format);
  std::vsnprintf(failure + used, sizeof failure - used, format, values);
  va_end(values);
}

inline void begin_failure() {
  failure[0] = 0;
  append("%s, block (%u, %u, %u): ", kernel_name, block_index.x, block_index.y, block_index.z);
}

inline void to_host() { switch_context(threads[current].fiber->context, host); }

// Ends the launch: never returns.
inline void fail(const Site& site, const char* what) {
  begin_failure();
  const Index& at = threads[current].index;
  append("thread (%u, %u, %u) at %s (%s:%d) %s", at.x, at.y, at.z, site.function, site.file,
         site.line, what);
  to_host();
}

// Holds the meeting of `mask` if all who can come are there.
inline void try_to_meet(int number, unsigned mask) {
  const unsigned wanted = mask & present[number];
  if (wanted == 0 || (at_warp[number] & wanted) != wanted) return;
  const int begin = number * kWarp;
  Thread* const warp = threads + begin;
  const Thread& one = warp[__builtin_ctz(wanted)];
  for (unsigned rest = wanted; rest; rest &= rest - 1) {
    const Thread& other = warp[__builtin_ctz(rest)];
    if (other.mask != mask || other.meet != one.meet || !(other.site == one.site)) return;
  }
  one.meet(warp, wanted);
  at_warp[number] &= ~wanted;
  for (unsigned rest = wanted; rest; rest &= rest - 1)
    warp[__builtin_ctz(rest)].state = State::kReady;
  ready.push_all(begin, count < begin + kWarp ? count : begin + kWarp,
                 [&](int i) { return wanted >> (i - begin) & 1; });
}

// Waits for the other threads of `mask` in the warp; returns what the meeting has for this thread.
inline uint64_t meet_warp(const Site& site, Meet meet, unsigned mask, uint64_t given, int wanted) {
  Thread& self = threads[current];
  const int lane = current % kWarp;
  if (!(mask >> lane & 1)) fail(site, "is not in the mask that it names");
  self.site = site;
  self.mask = mask;
  self.meet = meet;
  self.given = given;
  self.wanted = wanted;
  self.state = State::kAtWarp;
  at_warp[current / kWarp] |= 1u << lane;
  try_to_meet(current / kWarp, mask);
  to_host();
  return self.taken;
}

// Waits for all threads of the block; returns for how many `predicate` was true.
inline int meet_block(const Site& site, bool predicate) {
  Thread& self = threads[current];
  self.site = site;
  self.given = predicate;
  self.state = State::kAtBlock;
  ++at_block;
  to_host();
  return static_cast<int>(self.taken);
}

inline void thread_main() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &host.stack, &host.stack_bytes);
#endif
  for (;;) {
    body(body_arguments);
    Thread& self = threads[current];
    self.state = State::kReturned;
    ++returned;
    idle[fibers_idle++] = self.fiber;
    const int warp = current / kWarp;
    present[warp] &= ~(1u << current % kWarp);
    // Perhaps others waited for this thread only.
    for (unsigned rest = at_warp[warp]; rest; rest &= rest - 1) {
      const Thread& other = threads[warp * kWarp + __builtin_ctz(rest)];
      if (other.state == State::kAtWarp && other.mask >> current % kWarp & 1)
        try_to_meet(warp, other.mask);
    }
    to_host();
  }
}

inline Fiber* take_fiber() {
  if (fibers_idle > 0) return idle[--fibers_idle];
  Fiber* const fiber = &fibers[fibers_started++];
  fiber->start(thread_main);
  return fiber;
}

// Names the threads that wait at the site where `example` does.
inline void list_waiting(const Thread& example) {
  int listed = 0, all = 0;
  for (int i = 0; i < count; ++i) {
    const Thread& thread = threads[i];
    if (thread.state != example.state || !(thread.site == example.site)) continue;
    if (++all <= kMostListed)
      append("%s(%u, %u, %u)", listed++ ? ", " : "", thread.index.x, thread.index.y,
             thread.index.z);
  }
  append("%s wait at %s (%s:%d)", all > kMostListed ? ", ..." : "", example.site.function,
         example.site.file, example.site.line);
}

// Nobody can go on: tells who waits where.
inline void report_divergence() {
  begin_failure();
  append("not all threads reach the same barrier: ");
  const Thread* told[4];
  int sites = 0;
  for (int i = 0; i < count && sites < 4; ++i) {
    if (threads[i].state == State::kReturned) continue;
    bool known = false;
    for (int j = 0; j < sites; ++j)
      known |= told[j]->state == threads[i].state && told[j]->site == threads[i].site;
    if (known) continue;
    append(sites ? "; " : "threads ");
    list_waiting(*(told[sites++] = threads + i));
  }
  if (returned) append("; %d of %d have returned", returned, count);
}

// Lets a block's threads leave a barrier that all of them have reached.
inline bool leave_barrier() {
  bool together = at_block == count;
  uint64_t votes = 0;
  for (int i = 0; together && i < count; ++i) {
    together = threads[i].site == threads[0].site;
    votes += threads[i].given;
  }
  if (!together) {
    report_divergence();
    return false;
  }
  for (int i = 0; i < count; ++i) {
    threads[i].taken = votes;
    threads[i].state = State::kReady;
  }
  at_block = 0;
  ready.push_all(0, count, [](int) { return true; });
  return true;
}

inline bool run_block() {
  for (int i = 0; i < count; ++i) threads[i].state = State::kNew;
  for (int warp = 0; warp * kWarp < count; ++warp) {
    const int lanes = count - warp * kWarp;
    at_warp[warp] = 0;
    present[warp] = lanes < kWarp ? (1u << lanes) - 1 : ~0u;
  }
  returned = at_block = 0;
  ready.first = ready.last = 0;
  ready.push_all(0, count, [](int) { return true; });
  while (returned < count) {
    if (ready.empty() && !leave_barrier()) return false;
    current = ready.pop();
    Thread& thread = threads[current];
    if (thread.state == State::kNew) {
      thread.fiber = take_fiber();
      thread.state = State::kReady;
    }
    switch_context(host, thread.fiber->context);
    if (failure[0]) return false;
  }
  return true;
}

}  // namespace emulation

// Runs all blocks of a launch.
#pragma once

#include "block.hpp"

// Static shared memory lies in a section of its own, so that each block can begin with rubbish in
// it. The address sanitizer guards only what lies where it is used to.
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static
#else
#define __shared__ static __attribute__((section("emulated_shared")))
extern "C" char __start_emulated_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_emulated_shared[] __attribute__((weak, visibility("hidden")));
#endif

namespace emulation {

inline pthread_mutex_t one_launch_at_a_time = PTHREAD_MUTEX_INITIALIZER;
constexpr int kRubbish = 0xff;  // NaN, -1

inline void spoil_shared_memory(long long dynamic_bytes) {
  if (dynamic_bytes > 0)
    std::memset(dynamic_shared_memory, kRubbish, static_cast<size_t>(dynamic_bytes));
#if !defined(__SANITIZE_ADDRESS__)
  if (__start_emulated_shared)
    std::memset(__start_emulated_shared, kRubbish,
                static_cast<size_t>(__stop_emulated_shared - __start_emulated_shared));
#endif
}

inline void run_blocks(const Launch& launch) {
  const long long blocks =
      static_cast<long long>(launch.grid.x) * launch.grid.y * launch.grid.z;
  for (long long i = 0; i < blocks && !failure[0]; ++i) {
    const long long at = launch.order == kForward ? i : blocks - 1 - i;
    block_index.x = static_cast<unsigned>(at % launch.grid.x);
    block_index.y = static_cast<unsigned>(at / launch.grid.x % launch.grid.y);
    block_index.z = static_cast<unsigned>(at / launch.grid.x / launch.grid.y);
    spoil_shared_memory(launch.shared_bytes);
    run_block();
  }
}

// Writes to `launch.message` what went wrong; nothing where nothing did.
inline void run(const char* name, const Launch& launch, void (*kernel)(const void*),
                const void* arguments) {
  pthread_mutex_lock(&one_launch_at_a_time);
  kernel_name = name;
  failure[0] = 0;
  grid_size = launch.grid;
  block_size = launch.block;
  body = kernel;
  body_arguments = arguments;
  ready.order = static_cast<Order>(launch.order);
  ready.random = launch.seed;
  count = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
  for (int i = 0; i < count; ++i) {
    const unsigned at = static_cast<unsigned>(i);
    threads[i].index = {at % launch.block.x, at / launch.block.x % launch.block.y,
                        at / launch.block.x / launch.block.y};
  }
  void* dynamic = nullptr;
  const size_t bytes = static_cast<size_t>(launch.shared_bytes > 0 ? launch.shared_bytes : 1);
  if (posix_memalign(&dynamic, 16, bytes) != 0) std::abort();
  dynamic_shared_memory = static_cast<char*>(dynamic);
  run_blocks(launch);
  std::free(dynamic);
  // Threads that a failure left in the midst of their work never end: their stacks begin anew.
  if (failure[0]) fibers_started = fibers_idle = 0;
  std::memcpy(launch.message, failure, sizeof failure);
  pthread_mutex_unlock(&one_launch_at_a_time);
}

template <class Kernel>
void run_kernel(const char* name, const Launch& launch, const Kernel& kernel) {
  run(name, launch, [](const void* it) { (*static_cast<const Kernel*>(it))(); }, &kernel);
}

}  // namespace emulation

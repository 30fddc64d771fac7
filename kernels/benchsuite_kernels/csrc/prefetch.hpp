// Asks for memory before it is needed: rows are visited in an order that the processor cannot guess.
#pragma once

namespace benchsuite {

constexpr int kCacheLine = 64;

inline void prefetch(const void* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address);
#else
  (void)address;
#endif
}

}  // namespace benchsuite

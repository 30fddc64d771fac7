// Eight bytes at once, the first of them in the lowest bits whatever the processor's byte order.
#pragma once

#include <cstdint>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace benchsuite {

// Compilers make one load of this where the byte order allows.
inline uint64_t load_eight(const uint8_t* bytes) {
  return uint64_t{bytes[0]} | uint64_t{bytes[1]} << 8 | uint64_t{bytes[2]} << 16 |
         uint64_t{bytes[3]} << 24 | uint64_t{bytes[4]} << 32 | uint64_t{bytes[5]} << 40 |
         uint64_t{bytes[6]} << 48 | uint64_t{bytes[7]} << 56;
}

// The number of the lowest bit that is set, of a word that is not zero.
inline int lowest_bit(uint64_t word) {
#if defined(_MSC_VER)
  unsigned long bit = 0;
#if defined(_WIN64)
  _BitScanForward64(&bit, word);
#else
  if (!_BitScanForward(&bit, static_cast<unsigned long>(word))) {
    _BitScanForward(&bit, static_cast<unsigned long>(word >> 32));
    bit += 32;
  }
#endif
  return static_cast<int>(bit);
#else
  return __builtin_ctzll(word);
#endif
}

}  // namespace benchsuite

// Bits of words, for compilers that lack C++20's <bit>.
#pragma once

#include <cstdint>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace benchsuite {

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
constexpr bool kLittleEndian = false;
#else
constexpr bool kLittleEndian = true;
#endif

// How many zeros are below the lowest one of a word that is not zero.
inline int trailing_zeros(uint64_t word) {
#if defined(_MSC_VER)
  unsigned long place;
  _BitScanForward64(&place, word);
  return static_cast<int>(place);
#else
  return __builtin_ctzll(word);
#endif
}

}  // namespace benchsuite

// Where a row of pixels changes: label maps are stretches of equal numbers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "words.hpp"

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif

namespace benchsuite::label_maps {

// Which of 64 bytes differ from 64 others: bit i is set where a[i] is not b[i].
inline uint64_t differing(const uint8_t* a, const uint8_t* b) {
  uint64_t bits = 0;
#if defined(__SSE2__) || defined(_M_X64)
  for (int i = 0; i < 64; i += 16) {
    const __m128i same = _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i)),
                                        _mm_loadu_si128(reinterpret_cast<const __m128i*>(b + i)));
    bits |= uint64_t{0xffff & ~static_cast<uint32_t>(_mm_movemask_epi8(same))} << i;
  }
#else
  constexpr uint64_t kLow = 0x7f7f7f7f7f7f7f7fu;
  for (int i = 0; i < 64; i += 8) {
    const uint64_t x = load_eight(a + i) ^ load_eight(b + i);
    // The highest bit of each byte that is not zero; then these bits next to each other.
    const uint64_t flags = (((x & kLow) + kLow) | x) & ~kLow;
    bits |= ((flags >> 7) * 0x0102040810204080u >> 56) << i;
  }
#endif
  return bits;
}

// Writes where a row's number changes, each x whose pixel differs from the one to its left, and
// then the width. `changes` has room for width + 1.
template <size_t kBytes>
void find_changes(const uint8_t* row, int64_t width, int32_t* changes) {
  const size_t size = static_cast<size_t>(width) * kBytes;
  int32_t last = 0;
  size_t at = kBytes;
  const auto add = [&](size_t byte) {
    const auto x = static_cast<int32_t>(byte / kBytes);
    // A pixel may differ in several of its bytes.
    if (kBytes == 1 || x != last) *changes++ = last = x;
  };
  for (; at + 64 <= size; at += 64)
    for (uint64_t bits = differing(row + at, row + at - kBytes); bits; bits &= bits - 1)
      add(at + static_cast<size_t>(lowest_bit(bits)));
  for (; at < size; ++at)
    if (row[at] != row[at - kBytes]) add(at);
  *changes = static_cast<int32_t>(width);
}

inline void find_changes(const uint8_t* row, int64_t width, int bytes, int32_t* changes) {
  switch (bytes) {
    case 1: return find_changes<1>(row, width, changes);
    case 2: return find_changes<2>(row, width, changes);
    default: return find_changes<3>(row, width, changes);
  }
}

}  // namespace benchsuite::label_maps

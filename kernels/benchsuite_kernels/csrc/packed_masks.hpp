// Masks as packed bits: read column by column, pixel p is bit p % 64 of word p / 64, and bits behind
// the last pixel are zero. Each mask of a stack has equally many words.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace benchsuite {

constexpr int64_t kWordBits = 64;

inline int64_t words_of(int64_t pixels) { return (pixels + kWordBits - 1) / kWordBits; }

// Writes all words of a mask that is inside between changes 0 and 1, 2 and 3, and so on; one left
// over at the end, where the image ends, is none.
void fill_packed(const int64_t* changes, int64_t count, uint64_t* bits, int64_t words);

// Where the runs of a mask of so many pixels end, background first.
void ends_of_packed(const uint64_t* bits, int64_t pixels, std::vector<int64_t>& ends);

// The compressed counts of runs that end there.
std::string compress_ends(const int32_t* ends, int64_t count);

// Pixels inside each of `masks` x `words`.
void packed_areas(const uint64_t* bits, int64_t masks, int64_t words, int64_t* areas, int threads);

// Pixels inside both masks, of every pair: a_masks x b_masks.
void packed_intersections(const uint64_t* a, int64_t a_masks, const uint64_t* b, int64_t b_masks,
                          int64_t words, int64_t* pixels, int threads);

// The union of `masks` x `words`, or their intersection; nothing where there is no mask.
void packed_merge(const uint64_t* bits, int64_t masks, int64_t words, bool intersect,
                  uint64_t* merged);

// Height x width bytes 0 or 1, row by row, to packed bits.
void pack_mask(const uint8_t* mask, int64_t height, int64_t width, uint64_t* bits, int64_t words);

}  // namespace benchsuite

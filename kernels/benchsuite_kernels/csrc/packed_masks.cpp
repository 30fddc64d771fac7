#include "packed_masks.hpp"

#include <algorithm>

#include "clones.hpp"
#include "parallel.hpp"
#include "rle.hpp"
#include "words.hpp"

namespace benchsuite {
namespace {

// Bits below `count`, of 0 to 64.
uint64_t low_bits(int64_t count) {
  return count >= kWordBits ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

void set_range(int64_t begin, int64_t end, uint64_t* bits) {
  if (begin >= end) return;
  const int64_t first = begin / kWordBits, last = (end - 1) / kWordBits;
  const uint64_t from = ~low_bits(begin % kWordBits), to = low_bits((end - 1) % kWordBits + 1);
  if (first == last) {
    bits[first] |= from & to;
    return;
  }
  bits[first] |= from;
  std::fill(bits + first + 1, bits + last, ~uint64_t{0});
  bits[last] |= to;
}

int64_t ones(uint64_t word) {
  word -= (word >> 1) & 0x5555555555555555u;
  word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return static_cast<int64_t>((word * 0x0101010101010101u) >> 56);
}

// Compilers make vector code of the loop, whatever the processor has for counting bits.
BENCHSUITE_CLONES
int64_t count_ones(const uint64_t* BENCHSUITE_RESTRICT bits, int64_t words) {
  int64_t sum = 0;
  for (int64_t i = 0; i < words; ++i) sum += ones(bits[i]);
  return sum;
}

BENCHSUITE_CLONES
int64_t count_common(const uint64_t* BENCHSUITE_RESTRICT a, const uint64_t* BENCHSUITE_RESTRICT b,
                     int64_t words) {
  int64_t sum = 0;
  for (int64_t i = 0; i < words; ++i) sum += ones(a[i] & b[i]);
  return sum;
}

// The words that hold anything.
struct Extent {
  int64_t begin = 0, end = 0;
};

Extent extent_of(const uint64_t* bits, int64_t words) {
  Extent extent{0, words};
  while (extent.end > 0 && !bits[extent.end - 1]) --extent.end;
  while (extent.begin < extent.end && !bits[extent.begin]) ++extent.begin;
  return extent;
}

std::vector<Extent> extents(const uint64_t* bits, int64_t masks, int64_t words) {
  std::vector<Extent> found(masks);
  for (int64_t i = 0; i < masks; ++i) found[i] = extent_of(bits + i * words, words);
  return found;
}

}  // namespace

void fill_packed(const int64_t* changes, int64_t count, uint64_t* bits, int64_t words) {
  std::fill_n(bits, words, uint64_t{0});
  const int64_t limit = words * kWordBits;
  for (int64_t i = 0; i + 1 < count; i += 2)
    set_range(changes[i], std::min(changes[i + 1], limit), bits);
}

void ends_of_packed(const uint64_t* bits, int64_t pixels, std::vector<int64_t>& ends) {
  ends.clear();
  uint64_t before = 0;  // all ones where the pixel before is inside
  const auto look = [&](int64_t i, uint64_t valid) {
    uint64_t changed = (bits[i] ^ (bits[i] << 1 | (before & 1))) & valid;
    before = bits[i] >> (kWordBits - 1) ? ~uint64_t{0} : 0;
    for (; changed; changed &= changed - 1) ends.push_back(i * kWordBits + lowest_bit(changed));
  };
  const int64_t whole = pixels / kWordBits;
  for (int64_t i = 0; i < whole; ++i)
    if (bits[i] != before) look(i, ~uint64_t{0});
  if (pixels % kWordBits) look(whole, low_bits(pixels % kWordBits));
  ends.push_back(pixels);
}

std::string compress_ends(const int32_t* ends, int64_t count) {
  rle::Changes changes;
  for (int64_t i = 0; i + 1 < count; ++i) changes.toggle(ends[i]);
  return changes.compress(count ? ends[count - 1] : 0);
}

void packed_areas(const uint64_t* bits, int64_t masks, int64_t words, int64_t* areas, int threads) {
  for_each_item(masks, grain_of(masks, masks * words), threads,
                [&](int64_t i, int) { areas[i] = count_ones(bits + i * words, words); });
}

void packed_intersections(const uint64_t* a, int64_t a_masks, const uint64_t* b, int64_t b_masks,
                          int64_t words, int64_t* pixels, int threads) {
  const std::vector<Extent> in_a = extents(a, a_masks, words), in_b = extents(b, b_masks, words);
  for_each_item(a_masks, grain_of(a_masks, a_masks * b_masks * words), threads,
                [&](int64_t i, int) {
    for (int64_t j = 0; j < b_masks; ++j) {
      const int64_t begin = std::max(in_a[i].begin, in_b[j].begin);
      const int64_t count = std::min(in_a[i].end, in_b[j].end) - begin;
      pixels[i * b_masks + j] =
          count > 0 ? count_common(a + i * words + begin, b + j * words + begin, count) : 0;
    }
  });
}

void packed_merge(const uint64_t* bits, int64_t masks, int64_t words, bool intersect,
                  uint64_t* merged) {
  std::fill_n(merged, words, intersect && masks ? ~uint64_t{0} : 0);
  for (int64_t mask = 0; mask < masks; ++mask, bits += words)
    for (int64_t i = 0; i < words; ++i)
      merged[i] = intersect ? merged[i] & bits[i] : merged[i] | bits[i];
}

void pack_mask(const uint8_t* mask, int64_t height, int64_t width, uint64_t* bits, int64_t words) {
  std::fill_n(bits, words, uint64_t{0});
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* row = mask + y * width;
    for (int64_t x = 0; x < width; ++x) {
      const int64_t pixel = x * height + y;
      bits[pixel / kWordBits] |= uint64_t{row[x] != 0} << (pixel % kWordBits);
    }
  }
}

}  // namespace benchsuite

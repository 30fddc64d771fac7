#include "resize.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "clones.hpp"
#include "row_resizer.hpp"

namespace benchsuite::resize {
namespace {

BENCHSUITE_CLONES
void blend_two(const uint8_t* BENCHSUITE_RESTRICT upper, const uint8_t* BENCHSUITE_RESTRICT lower,
               int32_t of_upper, int32_t of_lower, int64_t bytes,
               uint8_t* BENCHSUITE_RESTRICT target) {
  for (int64_t i = 0; i < bytes; ++i)
    target[i] = rounded(kHalf + of_upper * upper[i] + of_lower * lower[i]);
}

BENCHSUITE_CLONES
void add_row(const uint8_t* BENCHSUITE_RESTRICT row, int32_t weight, int64_t bytes,
             int32_t* BENCHSUITE_RESTRICT sums) {
  for (int64_t i = 0; i < bytes; ++i) sums[i] += weight * row[i];
}

BENCHSUITE_CLONES
void round_row(const int32_t* BENCHSUITE_RESTRICT sums, int64_t bytes,
               uint8_t* BENCHSUITE_RESTRICT target) {
  for (int64_t i = 0; i < bytes; ++i) target[i] = rounded(sums[i]);
}

void resize_rows(const uint8_t* source, int64_t height, int64_t width, int64_t new_width,
                 uint8_t* target) {
  RowResizer rows(width, new_width, kChannels, false);
  std::vector<uint8_t> row(rows.bytes());
  for (int64_t y = 0; y < height; ++y) {
    rows.resize(source + kChannels * width * y, row.data());
    std::memcpy(target + kChannels * new_width * y, row.data(), kChannels * new_width);
  }
}

void resize_columns(const uint8_t* source, int64_t height, int64_t bytes, int64_t new_height,
                    uint8_t* target) {
  const TriangleAxis weights = triangle_axis(height, new_height);
  std::vector<int32_t> sums(bytes);
  for (int64_t y = 0; y < new_height; ++y) {
    const int32_t* own = weights.values.data() + weights.taps * y;
    const uint8_t* first = source + bytes * weights.first[y];
    uint8_t* row = target + bytes * y;
    const int64_t taps = std::min(weights.taps, height - weights.first[y]);
    if (taps <= 2) {
      const bool two = taps == 2;
      blend_two(first, two ? first + bytes : first, own[0], two ? own[1] : 0, bytes, row);
      continue;
    }
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int64_t tap = 0; tap < taps; ++tap)
      add_row(first + bytes * tap, own[tap], bytes, sums.data());
    round_row(sums.data(), bytes, row);
  }
}

}  // namespace

void bilinear(const uint8_t* source, int64_t height, int64_t width, uint8_t* target,
              int64_t new_height, int64_t new_width) {
  const int64_t bytes = kChannels * new_width;
  if (new_width == width && new_height == height) {
    std::memcpy(target, source, height * bytes);
  } else if (new_width == width) {
    resize_columns(source, height, bytes, new_height, target);
  } else if (new_height == height) {
    resize_rows(source, height, width, new_width, target);
  } else {
    std::vector<uint8_t> between(height * bytes);
    resize_rows(source, height, width, new_width, between.data());
    resize_columns(between.data(), height, bytes, new_height, target);
  }
}

}  // namespace benchsuite::resize

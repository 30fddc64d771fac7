#include "resize.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "clones.hpp"

namespace benchsuite::resize {
namespace {

constexpr int kPrecision = 22;  // bits of a weight behind the point; 8 + 22 leave room for the sign
constexpr int32_t kHalf = 1 << (kPrecision - 1);
constexpr int64_t kLanes = 4;  // a pixel as four numbers, of which the last means nothing

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define BENCHSUITE_VECTORS
#endif
#endif

#if defined(BENCHSUITE_VECTORS)
// Left to itself the compiler makes vectors of the weights, of which there may be two.
typedef int32_t Lanes __attribute__((vector_size(4 * kLanes)));
typedef uint8_t Bytes __attribute__((vector_size(4 * kLanes)));

inline Lanes load(const int32_t* pixel) {
  Lanes lanes;
  std::memcpy(&lanes, pixel, sizeof lanes);
  return lanes;
}

// The fourth byte is overwritten by the next pixel's first.
inline void store(Lanes lanes, uint8_t* target) {
  Bytes bytes;
  std::memcpy(&bytes, &lanes, sizeof bytes);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  bytes = __builtin_shufflevector(bytes, bytes, 3, 7, 11, 15, 3, 7, 11, 15, 3, 7, 11, 15, 3, 7, 11,
                                  15);
#else
  bytes = __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
#endif
  std::memcpy(target, &bytes, kLanes);
}
#else
struct Lanes {
  int32_t of[kLanes] = {};
};

inline Lanes load(const int32_t* pixel) {
  Lanes lanes;
  std::memcpy(lanes.of, pixel, sizeof lanes.of);
  return lanes;
}

inline Lanes operator+(Lanes lanes, int32_t value) {
  for (int32_t& each : lanes.of) each += value;
  return lanes;
}

inline Lanes operator*(int32_t factor, Lanes lanes) {
  for (int32_t& each : lanes.of) each *= factor;
  return lanes;
}

inline Lanes operator>>(Lanes lanes, int bits) {
  for (int32_t& each : lanes.of) each >>= bits;
  return lanes;
}

inline void operator+=(Lanes& lanes, const Lanes& more) {
  for (int64_t c = 0; c < kLanes; ++c) lanes.of[c] += more.of[c];
}

inline void store(const Lanes& lanes, uint8_t* target) {
  for (int64_t c = 0; c < kChannels; ++c) target[c] = static_cast<uint8_t>(lanes.of[c]);
}
#endif

// How the pixels of a line make up those of the resized line.
struct Weights {
  int64_t taps;                // weights a pixel; those that are not needed are 0
  std::vector<int64_t> first;  // by pixel of the resized line: the first that counts
  std::vector<int32_t> values;
};

// A triangle over each pixel's place in the line, as wide as two pixels of the coarser line.
Weights triangle_weights(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double widened = std::max(scale, 1.0), narrowed = 1.0 / widened;
  std::vector<int64_t> first(to), count(to);
  for (int64_t x = 0; x < to; ++x) {
    const double centre = (static_cast<double>(x) + 0.5) * scale;
    first[x] = std::max(static_cast<int64_t>(centre - widened + 0.5), int64_t{0});
    count[x] = std::min(static_cast<int64_t>(centre + widened + 0.5), from) - first[x];
  }
  Weights found{*std::max_element(count.begin(), count.end()), std::move(first), {}};
  found.values.assign(to * found.taps, 0);
  std::vector<double> shares(found.taps);
  for (int64_t x = 0; x < to; ++x) {
    const double centre = (static_cast<double>(x) + 0.5) * scale;
    double total = 0;
    for (int64_t tap = 0; tap < count[x]; ++tap) {
      const double away =
          (static_cast<double>(tap + found.first[x]) - centre + 0.5) * narrowed;
      shares[tap] = std::max(1.0 - std::abs(away), 0.0);
      total += shares[tap];
    }
    for (int64_t tap = 0; tap < count[x]; ++tap) {
      const double share = total != 0 ? shares[tap] / total : shares[tap];
      found.values[x * found.taps + tap] =
          static_cast<int32_t>(0.5 + share * (int64_t{1} << kPrecision));
    }
  }
  return found;
}

// Weights are at least 0 and sum up to one, but for their rounding: no sum leaves 0 to 255.
inline uint8_t rounded(int32_t sum) { return static_cast<uint8_t>(sum >> kPrecision); }

BENCHSUITE_CLONES
void widen_pixels(const uint8_t* BENCHSUITE_RESTRICT row, int64_t width,
                  int32_t* BENCHSUITE_RESTRICT pixels) {
  for (int64_t x = 0; x < width; ++x)
    for (int64_t c = 0; c < kChannels; ++c) pixels[kLanes * x + c] = row[kChannels * x + c];
}

// `target` has room for one byte more than the row.
BENCHSUITE_CLONES
void resize_row(const int32_t* BENCHSUITE_RESTRICT pixels, const int64_t* BENCHSUITE_RESTRICT first,
                const int32_t* BENCHSUITE_RESTRICT weights, int64_t taps, int64_t width,
                uint8_t* BENCHSUITE_RESTRICT target) {
  for (int64_t x = 0; x < width; ++x) {
    const int32_t* pixel = pixels + kLanes * first[x];
    Lanes sums = Lanes{} + kHalf;
    for (int64_t tap = 0; tap < taps; ++tap) sums += weights[tap] * load(pixel + kLanes * tap);
    store(sums >> kPrecision, target + kChannels * x);
    weights += taps;
  }
}

// The same for two weights a pixel, which is what an image has that grows.
BENCHSUITE_CLONES
void resize_row_of_two(const int32_t* BENCHSUITE_RESTRICT pixels,
                       const int64_t* BENCHSUITE_RESTRICT first,
                       const int32_t* BENCHSUITE_RESTRICT weights, int64_t width,
                       uint8_t* BENCHSUITE_RESTRICT target) {
  for (int64_t x = 0; x < width; ++x) {
    const int32_t* pixel = pixels + kLanes * first[x];
    Lanes sums = Lanes{} + kHalf;
    sums += weights[2 * x] * load(pixel);
    sums += weights[2 * x + 1] * load(pixel + kLanes);
    store(sums >> kPrecision, target + kChannels * x);
  }
}

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
  const Weights weights = triangle_weights(width, new_width);
  // Weights of 0 may stand past the line's end.
  std::vector<int32_t> pixels(kLanes * (width + weights.taps), 0);
  std::vector<uint8_t> row(kChannels * new_width + 1);
  for (int64_t y = 0; y < height; ++y) {
    widen_pixels(source + kChannels * width * y, width, pixels.data());
    const int64_t* first = weights.first.data();
    const int32_t* values = weights.values.data();
    if (weights.taps == 2)
      resize_row_of_two(pixels.data(), first, values, new_width, row.data());
    else
      resize_row(pixels.data(), first, values, weights.taps, new_width, row.data());
    std::memcpy(target + kChannels * new_width * y, row.data(), kChannels * new_width);
  }
}

void resize_columns(const uint8_t* source, int64_t height, int64_t bytes, int64_t new_height,
                    uint8_t* target) {
  const Weights weights = triangle_weights(height, new_height);
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

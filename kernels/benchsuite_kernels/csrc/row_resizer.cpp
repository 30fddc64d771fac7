#include "row_resizer.hpp"

#include <cstring>

#include "clones.hpp"

namespace benchsuite::resize {
namespace {

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

BENCHSUITE_CLONES
void widen_pixels(const uint8_t* BENCHSUITE_RESTRICT row, int64_t width,
                  int32_t* BENCHSUITE_RESTRICT pixels) {
  for (int64_t x = 0; x < width; ++x)
    for (int64_t c = 0; c < kChannels; ++c) pixels[kLanes * x + c] = row[kChannels * x + c];
}

BENCHSUITE_CLONES
void widen_reversed(const uint8_t* BENCHSUITE_RESTRICT row, int64_t width,
                    int32_t* BENCHSUITE_RESTRICT pixels) {
  for (int64_t x = 0; x < width; ++x)
    for (int64_t c = 0; c < kChannels; ++c)
      pixels[kLanes * x + c] = row[kChannels * x + kChannels - 1 - c];
}

BENCHSUITE_CLONES
void narrow_pixels(const int32_t* BENCHSUITE_RESTRICT pixels, int64_t width, int64_t step,
                   uint8_t* BENCHSUITE_RESTRICT target) {
  for (int64_t x = 0; x < width; ++x)
    for (int64_t c = 0; c < kChannels; ++c)
      target[step * x + c] = static_cast<uint8_t>(pixels[kLanes * x + c]);
}

// `step`: bytes from one pixel of the target to the next. It has room for one byte more than the row.
BENCHSUITE_CLONES
void resize_row(const int32_t* BENCHSUITE_RESTRICT pixels, const int64_t* BENCHSUITE_RESTRICT first,
                const int32_t* BENCHSUITE_RESTRICT weights, int64_t taps, int64_t width,
                int64_t step, uint8_t* BENCHSUITE_RESTRICT target) {
  for (int64_t x = 0; x < width; ++x) {
    const int32_t* pixel = pixels + kLanes * first[x];
    Lanes sums = Lanes{} + kHalf;
    for (int64_t tap = 0; tap < taps; ++tap) sums += weights[tap] * load(pixel + kLanes * tap);
    store(sums >> kPrecision, target + step * x);
    weights += taps;
  }
}

// The same for two weights a pixel, which is what an image has that grows.
BENCHSUITE_CLONES
void resize_row_of_two(const int32_t* BENCHSUITE_RESTRICT pixels,
                       const int64_t* BENCHSUITE_RESTRICT first,
                       const int32_t* BENCHSUITE_RESTRICT weights, int64_t width,
                       int64_t step, uint8_t* BENCHSUITE_RESTRICT target) {
  for (int64_t x = 0; x < width; ++x) {
    const int32_t* pixel = pixels + kLanes * first[x];
    Lanes sums = Lanes{} + kHalf;
    sums += weights[2 * x] * load(pixel);
    sums += weights[2 * x + 1] * load(pixel + kLanes);
    store(sums >> kPrecision, target + step * x);
  }
}

}  // namespace

RowResizer::RowResizer(int64_t width, int64_t new_width, int64_t step, bool reversed)
    : width_(width), new_width_(new_width), step_(step), reversed_(reversed),
      axis_(triangle_axis(width, new_width)),
      // Weights of 0 may stand past the line's end.
      pixels_(kLanes * (width + axis_.taps), 0) {}

void RowResizer::resize(const uint8_t* row, uint8_t* target) {
  if (width_ == new_width_ && step_ == kChannels && !reversed_) {
    std::memcpy(target, row, kChannels * width_);
    return;
  }
  (reversed_ ? widen_reversed : widen_pixels)(row, width_, pixels_.data());
  const int64_t* first = axis_.first.data();
  const int32_t* values = axis_.values.data();
  if (width_ == new_width_)
    narrow_pixels(pixels_.data(), width_, step_, target);
  else if (axis_.taps == 2)
    resize_row_of_two(pixels_.data(), first, values, new_width_, step_, target);
  else
    resize_row(pixels_.data(), first, values, axis_.taps, new_width_, step_, target);
}

}  // namespace benchsuite::resize

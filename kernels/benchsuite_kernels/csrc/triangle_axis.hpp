// One axis of an image that is resized by Pillow's bilinear filter.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite::resize {

constexpr int kPrecision = 22;  // bits of a weight behind the point; 8 + 22 leave room for the sign
constexpr int32_t kHalf = 1 << (kPrecision - 1);

// How the pixels of a line make up those of the resized line.
struct TriangleAxis {
  int64_t taps;                // weights a pixel; those that are not needed are 0
  std::vector<int64_t> first;  // by pixel of the resized line: the first that counts
  std::vector<int32_t> values;
};

// A triangle over each pixel's place in the line, as wide as two pixels of the coarser line.
TriangleAxis triangle_axis(int64_t from, int64_t to);

// Of a weighted sum that began with kHalf. Weights are at least 0 and sum up to one, but for their
// rounding: no sum leaves 0 to 255.
inline uint8_t rounded(int32_t sum) { return static_cast<uint8_t>(sum >> kPrecision); }

}  // namespace benchsuite::resize

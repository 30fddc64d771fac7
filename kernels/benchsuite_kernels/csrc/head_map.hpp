// Outputs of dense heads, read where they lie, and the anchors at their cells.
#pragma once

#include <cstdint>
#include <cstring>

#include "../cuda/sources/box_coding.cuh"
#include "tensor_view.hpp"

namespace benchsuite {

inline float widened(float value) { return value; }
inline float widened(BFloat16 value) {
  const uint32_t bits = uint32_t{value.bits} << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof wide);
  return wide;
}

// One level's maps of all images: channels of cells, or cells of channels.
template <class T>
struct HeadMap {
  const T* data;
  int64_t channels, cells;
  bool channels_last;

  const T* image(int64_t index) const { return data + index * channels * cells; }
  float at(int64_t image, int64_t channel, int64_t cell) const {
    const int64_t place = channels_last ? cell * channels + channel : channel * cells + cell;
    return widened(data[image * channels * cells + place]);
  }
};

// The anchors of one level: `count` boxes around the origin, moved to every cell.
struct AnchorLevel {
  const float* boxes;  // count x 4
  int64_t count, height, width;
  float down, across, offset;

  int64_t anchors() const { return count * height * width; }
  Corners at(int64_t anchor) const {
    return anchor_at(boxes + anchor % count * 4, anchor / count, width, down, across, offset);
  }
};

}  // namespace benchsuite

// Outputs of dense heads, read where they lie, and the anchors at their cells.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

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

struct Corners {
  float x1, y1, x2, y2;
};

// The anchors of one level: `count` boxes around the origin, moved to every cell.
struct AnchorLevel {
  const float* boxes;  // count x 4
  int64_t count, height, width;
  float down, across, offset;

  int64_t anchors() const { return count * height * width; }
  Corners at(int64_t anchor) const {
    const float* own = boxes + anchor % count * 4;
    const int64_t cell = anchor / count;
    const float x = (static_cast<float>(cell % width) + offset) * across;
    const float y = (static_cast<float>(cell / width) + offset) * down;
    return {x + own[0], y + own[1], x + own[2], y + own[3]};
  }
};

// How four values and a reference box become a box.
struct BoxCoding {
  float weights[4];
  bool distances;  // left, top, right, bottom in sides of the reference, in place of deltas

  Corners operator()(const float* values, const Corners& box) const {
    return distances ? from_distances(values, box) : from_deltas(values, box);
  }

 private:
  Corners from_deltas(const float* values, const Corners& box) const {
    constexpr float kClamp = 4.135166556742356f;  // log(1000 / 16)
    const float dx = values[0] / weights[0], dy = values[1] / weights[1];
    const float dw = values[2] / weights[2], dh = values[3] / weights[3];
    const float width = box.x2 - box.x1, height = box.y2 - box.y1;
    const float x = dx * width + (box.x1 + 0.5f * width);
    const float y = dy * height + (box.y1 + 0.5f * height);
    const float half_width = 0.5f * (std::exp(dw > kClamp ? kClamp : dw) * width);
    const float half_height = 0.5f * (std::exp(dh > kClamp ? kClamp : dh) * height);
    return {x - half_width, y - half_height, x + half_width, y + half_height};
  }

  static Corners from_distances(const float* values, const Corners& box) {
    const float x = 0.5f * (box.x1 + box.x2), y = 0.5f * (box.y1 + box.y2);
    const float side = box.x2 - box.x1;
    const auto far = [side](float value) { return (value < 0 ? 0 : value) * side; };
    return {x - far(values[0]), y - far(values[1]), x + far(values[2]), y + far(values[3])};
  }
};

inline bool all_finite(const Corners& box) {
  return std::isfinite(box.x1) && std::isfinite(box.y1) && std::isfinite(box.x2) &&
         std::isfinite(box.y2);
}

// Moves corners that lie outside an image onto its border. size: height and width.
inline Corners clipped(const Corners& box, const float* size) {
  const auto within = [](float value, float limit) {
    const float positive = value < 0 ? 0 : value;
    return limit < positive ? limit : positive;
  };
  return {within(box.x1, size[1]), within(box.y1, size[0]), within(box.x2, size[1]),
          within(box.y2, size[0])};
}

}  // namespace benchsuite

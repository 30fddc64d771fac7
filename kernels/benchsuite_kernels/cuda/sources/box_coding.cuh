// How four values and a reference box become a box, and what an image leaves of it.
#pragma once

#include "shared.cuh"

#if !defined(__CUDACC_RTC__)
#include <math.h>
#endif

namespace benchsuite {

// xyxy, pixels.
struct Corners {
  float x1, y1, x2, y2;
};

// Deltas dx, dy, dw, dh, each to be divided by its weight; or the distances left, top, right,
// bottom from the reference's centre in widths of the reference, what is negative counting as zero.
struct BoxCoding {
  float weights[4];
  bool distances;
};

SHARED_INLINE float half_extent(float change, float extent) {
  constexpr float kClamp = 4.135166556742356f;  // log(1000 / 16)
  return 0.5f * (expf(change > kClamp ? kClamp : change) * extent);
}

SHARED_INLINE float distance(float value, float side) { return (value < 0.0f ? 0.0f : value) * side; }

SHARED_INLINE Corners coded_box(const BoxCoding& coding, const float* values, const Corners& box) {
  const float width = box.x2 - box.x1, height = box.y2 - box.y1;
  if (coding.distances) {
    const float x = 0.5f * (box.x1 + box.x2), y = 0.5f * (box.y1 + box.y2);
    return {x - distance(values[0], width), y - distance(values[1], width),
            x + distance(values[2], width), y + distance(values[3], width)};
  }
  const float x = values[0] / coding.weights[0] * width + (box.x1 + 0.5f * width);
  const float y = values[1] / coding.weights[1] * height + (box.y1 + 0.5f * height);
  const float half_width = half_extent(values[2] / coding.weights[2], width);
  const float half_height = half_extent(values[3] / coding.weights[3], height);
  return {x - half_width, y - half_height, x + half_width, y + half_height};
}

// What `coded_box` makes `target` of.
SHARED_INLINE void box_values(const BoxCoding& coding, const Corners& target, const Corners& box,
                              float* values) {
  const float width = box.x2 - box.x1, height = box.y2 - box.y1;
  if (coding.distances) {
    const float x = 0.5f * (box.x1 + box.x2), y = 0.5f * (box.y1 + box.y2);
    values[0] = (x - target.x1) / width;
    values[1] = (y - target.y1) / width;
    values[2] = (target.x2 - x) / width;
    values[3] = (target.y2 - y) / width;
    return;
  }
  const float target_width = target.x2 - target.x1, target_height = target.y2 - target.y1;
  const float x = target.x1 + 0.5f * target_width, y = target.y1 + 0.5f * target_height;
  values[0] = (x - (box.x1 + 0.5f * width)) / width * coding.weights[0];
  values[1] = (y - (box.y1 + 0.5f * height)) / height * coding.weights[1];
  values[2] = logf(target_width / width) * coding.weights[2];
  values[3] = logf(target_height / height) * coding.weights[3];
}

SHARED_INLINE bool all_finite(const Corners& box) {
  // The difference of what is not finite is NaN.
  return box.x1 - box.x1 == 0.0f && box.y1 - box.y1 == 0.0f && box.x2 - box.x2 == 0.0f &&
         box.y2 - box.y2 == 0.0f;
}

SHARED_INLINE float within(float value, float limit) {
  const float positive = value < 0.0f ? 0.0f : value;
  return limit < positive ? limit : positive;
}

// Moves corners that lie outside an image onto its border.
SHARED_INLINE Corners clipped(const Corners& box, float height, float width) {
  return {within(box.x1, width), within(box.y1, height), within(box.x2, width),
          within(box.y2, height)};
}

// The anchor of a cell: `own` (xyxy around the origin) moved to it.
SHARED_INLINE Corners anchor_at(const float* own, long long cell, long long width, float down,
                                float across, float offset) {
  const float x = (static_cast<float>(cell % width) + offset) * across;
  const float y = (static_cast<float>(cell / width) + offset) * down;
  return {x + own[0], y + own[1], x + own[2], y + own[3]};
}

}  // namespace benchsuite

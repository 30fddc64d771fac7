// Areas of boxes and of what they share: xyxy, in float.
#pragma once

#include "shared.cuh"

namespace benchsuite {

SHARED_INLINE float box_area(float x1, float y1, float x2, float y2) {
  return (x2 - x1) * (y2 - y1);
}

// Intersection of two boxes: 0 where they do not overlap.
SHARED_INLINE float box_intersection(float ax1, float ay1, float ax2, float ay2, float bx1,
                                     float by1, float bx2, float by2) {
  const float x1 = ax1 < bx1 ? bx1 : ax1;
  const float y1 = ay1 < by1 ? by1 : ay1;
  const float x2 = bx2 < ax2 ? bx2 : ax2;
  const float y2 = by2 < ay2 ? by2 : ay2;
  const float width = 0.0f < x2 - x1 ? x2 - x1 : 0.0f;
  const float height = 0.0f < y2 - y1 ? y2 - y1 : 0.0f;
  return width * height;
}

}  // namespace benchsuite

// The kinds of boxes that are suppressed. `load` reads one; `overlap` takes the better box first.
#pragma once

#include "box_iou.cuh"
#include "rotated_iou.cuh"

struct UprightBox {
  typedef float Number;
  static constexpr int kNumbers = 4;
  float x1, y1, x2, y2, area;

  static __device__ __forceinline__ UprightBox load(const float* at) {
    return {at[0], at[1], at[2], at[3], benchsuite::box_area(at[0], at[1], at[2], at[3])};
  }

  static __device__ __forceinline__ float overlap(const UprightBox& a, const UprightBox& b) {
    const float common =
        benchsuite::box_intersection(a.x1, a.y1, a.x2, a.y2, b.x1, b.y1, b.x2, b.y2);
    return common / (a.area + b.area - common);
  }
};

struct TurnedBox {
  typedef double Number;
  static constexpr int kNumbers = 8;
  benchsuite::rotated::Box box;

  static __device__ __forceinline__ TurnedBox load(const double* at) {
    return {{at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7]}};
  }

  static __device__ __forceinline__ float overlap(const TurnedBox& a, const TurnedBox& b) {
    return static_cast<float>(benchsuite::rotated::iou(a.box, b.box));
  }
};

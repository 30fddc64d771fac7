// Two bilinear resizes along one axis as one: no result is made of more than three values.
//
// Read by the CUDA kernels and by the C++ ones, so that both weigh alike.
#pragma once

#include "shared.cuh"

struct TwiceTaps {
  long long cell[3];  // ascending; where two would do, the last one shares the second's weight
  float weight[3];
};

struct OnceTaps {
  long long first, second;
  float of_first, of_second;
};

// As torch places samples where corners are not aligned, in float; `scale` is source over target.
SHARED_INLINE OnceTaps bilinear_taps(long long target, float scale, long long length) {
  const float place = scale * (static_cast<float>(target) + 0.5f) - 0.5f;
  const float source = place < 0.0f ? 0.0f : place;
  OnceTaps taps;
  taps.first = static_cast<long long>(source);
  if (taps.first > length - 1) taps.first = length - 1;
  taps.second = taps.first < length - 1 ? taps.first + 1 : taps.first;
  const float after = source - static_cast<float>(taps.first);
  taps.of_second = after < 0.0f ? 0.0f : after > 1.0f ? 1.0f : after;
  taps.of_first = 1.0f - taps.of_second;
  return taps;
}

// What a value at `target` of `new_length` is made of: `cells` values are spread by the factor
// `stride`, the first `length` of them kept, and those resized to `new_length`.
SHARED_INLINE TwiceTaps twice_taps(long long target, long long cells, long long stride,
                                   long long length, long long new_length) {
  const float scale = static_cast<float>(length) / static_cast<float>(new_length);
  const OnceTaps outer = bilinear_taps(target, scale, length);
  const float inverse = 1.0f / static_cast<float>(stride);
  const OnceTaps left = bilinear_taps(outer.first, inverse, cells);
  const OnceTaps right = bilinear_taps(outer.second, inverse, cells);
  TwiceTaps taps;
  taps.cell[0] = left.first;
  taps.cell[1] = left.second;
  // The right one begins with the left one's first cell or with its second.
  const bool same = right.first == left.first;
  taps.cell[2] = same ? left.second : right.second;
  taps.weight[0] = outer.of_first * left.of_first;
  taps.weight[1] = outer.of_first * left.of_second;
  if (same) {
    // Weight 0 would make NaN of infinity.
    taps.weight[0] += outer.of_second * right.of_first;
    taps.weight[1] = 0.5f * (taps.weight[1] + outer.of_second * right.of_second);
    taps.weight[2] = taps.weight[1];
  } else {
    taps.weight[1] += outer.of_second * right.of_first;
    taps.weight[2] = outer.of_second * right.of_second;
  }
  return taps;
}

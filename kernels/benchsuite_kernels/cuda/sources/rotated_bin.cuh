// Where the samples of a rotated box's bin lie, and the features round them.
#pragma once

#if !defined(__CUDACC__)
#include <math.h>
#endif

#include "roi_axis.cuh"

namespace benchsuite {

// A bin of a rotated box in features of its map.
struct RotatedBin {
  float y, x;            // its first corner, from the box's centre, in the box's own axes
  float step_y, step_x;  // a sample
  int rows, columns;     // of samples
  float centre_y, centre_x, cosine, sine;

  SHARED_INLINE float samples() const {
    return static_cast<float>(rows) * static_cast<float>(columns);
  }
};

// The bin at a row and column of bins; it has no samples where the box reads nothing.
// box: cx, cy, w, h in input pixels, angle in degrees.
SHARED_INLINE RotatedBin rotated_bin(const float* box, float scale, long long map_height,
                                     long long map_width, int bins, int sampling_ratio, int row,
                                     int column) {
  constexpr float kRadians = 0.017453292519943295f;  // a degree
  const float width = box[2] * scale, height = box[3] * scale, angle = box[4] * kRadians;
  const float bin_y = height / bins, bin_x = width / bins;
  RotatedBin bin;
  const bool sound = isfinite(box[0]) && isfinite(box[1]) && isfinite(angle) && bin_y >= 0.0f &&
                     bin_x >= 0.0f && bin_y < kMostRoiSamples && bin_x < kMostRoiSamples &&
                     map_height > 0 && map_width > 0;
  bin.rows = !sound ? 0 : sampling_ratio > 0 ? sampling_ratio : roi_reach(bin_y);
  bin.columns = !sound ? 0 : sampling_ratio > 0 ? sampling_ratio : roi_reach(bin_x);
  bin.y = -height / 2 + row * bin_y;
  bin.x = -width / 2 + column * bin_x;
  bin.step_y = bin_y / bin.rows;
  bin.step_x = bin_x / bin.columns;
  bin.centre_y = box[1] * scale - 0.5f;
  bin.centre_x = box[0] * scale - 0.5f;
  bin.cosine = cosf(angle);
  bin.sine = sinf(angle);
  return bin;
}

// Calls visit(row, column, weight) for the features round each sample.
template <class Visit>
SHARED_INLINE void each_feature(const RotatedBin& bin, long long height, long long width,
                                Visit visit) {
  for (int i = 0; i < bin.rows; ++i)
    for (int j = 0; j < bin.columns; ++j) {
      const float down = bin.y + (i + 0.5f) * bin.step_y;
      const float across = bin.x + (j + 0.5f) * bin.step_x;
      const RoiTap row = roi_tap(down * bin.cosine - across * bin.sine + bin.centre_y, height);
      const RoiTap column = roi_tap(down * bin.sine + across * bin.cosine + bin.centre_x, width);
      if (!row.inside || !column.inside) continue;
      // A neighbour beyond the edge weighs nothing, and is not read.
      const int rows = row.toward_high > 0 ? 2 : 1, columns = column.toward_high > 0 ? 2 : 1;
      for (int k = 0; k < rows; ++k)
        for (int l = 0; l < columns; ++l)
          visit(row.low + k, column.low + l,
                (k ? row.toward_high : 1.0f - row.toward_high) *
                    (l ? column.toward_high : 1.0f - column.toward_high));
    }
}

}  // namespace benchsuite

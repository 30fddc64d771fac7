// RoIAlign of rotated boxes, and its gradient; ops/roi_align_rotated.py gives the conventions.
// A thread works on a bin of a channel; neighbouring threads work on neighbouring channels.
#include "roi_bins.cuh"
#include "scalar.cuh"

using benchsuite::RoiMap;
using benchsuite::RoiTap;

// A bin of a rotated box in features of its map.
struct RotatedBin {
  float y, x;            // its first corner, from the box's centre, in the box's own axes
  float step_y, step_x;  // a sample
  int rows, columns;     // of samples
  float centre_y, centre_x, cosine, sine;

  __device__ __forceinline__ float samples() const {
    return static_cast<float>(rows) * static_cast<float>(columns);
  }
};

__device__ __forceinline__ RotatedBin rotated_bin(const float* box, float scale, int bins,
                                                  int sampling_ratio, int row, int column) {
  constexpr float kRadians = 0.017453292519943295f;  // a degree
  const float width = box[2] * scale, height = box[3] * scale, angle = box[4] * kRadians;
  const float bin_y = height / bins, bin_x = width / bins;
  RotatedBin bin;
  const bool sound = isfinite(box[0]) && isfinite(box[1]) && isfinite(angle) && bin_y >= 0.0f &&
                     bin_x >= 0.0f && bin_y < benchsuite::kMostRoiSamples &&
                     bin_x < benchsuite::kMostRoiSamples;
  bin.rows = !sound ? 0 : sampling_ratio > 0 ? sampling_ratio : benchsuite::roi_reach(bin_y);
  bin.columns = !sound ? 0 : sampling_ratio > 0 ? sampling_ratio : benchsuite::roi_reach(bin_x);
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
__device__ __forceinline__ void each_feature(const RotatedBin& bin, long long height,
                                             long long width, Visit visit) {
  for (int i = 0; i < bin.rows; ++i)
    for (int j = 0; j < bin.columns; ++j) {
      const float down = bin.y + (i + 0.5f) * bin.step_y;
      const float across = bin.x + (j + 0.5f) * bin.step_x;
      const RoiTap row = benchsuite::roi_tap(
          down * bin.cosine - across * bin.sine + bin.centre_y, height);
      const RoiTap column = benchsuite::roi_tap(
          down * bin.sine + across * bin.cosine + bin.centre_x, width);
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

extern "C" __global__ void roi_align_rotated(
    const SCALAR* map0, const SCALAR* map1, const SCALAR* map2, const SCALAR* map3,
    const SCALAR* map4, long long size0, long long size1, long long size2, long long size3,
    long long size4, float scale0, float scale1, float scale2, float scale3, float scale4,
    long long levels, const float* boxes, const long long* batch_index, const long long* level,
    long long count, long long images, long long channels, long long channels_last,
    long long bins, long long sampling_ratio, SCALAR* pooled) {
  const SCALAR* const maps[] = {map0, map1, map2, map3, map4};
  const long long sizes[] = {size0, size1, size2, size3, size4};
  const float scales[] = {scale0, scale1, scale2, scale3, scale4};
  const long long cells = bins * bins;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < count * cells * channels; i += static_cast<long long>(gridDim.x) * blockDim.x) {
    const long long channel = i % channels, cell = i / channels % cells, box = i / channels / cells;
    const RoiMap<const SCALAR> map = benchsuite::roi_map(
        maps, sizes, scales, levels, level[box], batch_index[box], images, channels);
    float sum = 0.0f, samples = 0.0f;
    if (map.data != nullptr) {
      const RotatedBin bin = rotated_bin(boxes + box * 5, map.scale, static_cast<int>(bins),
                                         static_cast<int>(sampling_ratio),
                                         static_cast<int>(cell / bins),
                                         static_cast<int>(cell % bins));
      const long long across = channels_last ? channels : 1, down = across * map.width;
      const SCALAR* const from =
          map.data + channel * (channels_last ? 1 : map.height * map.width);
      samples = bin.samples();
      each_feature(bin, map.height, map.width, [&](long long y, long long x, float weight) {
        sum += weight * load(from + y * down + x * across);
      });
    }
    store(pooled + (box * channels + channel) * cells + cell, samples > 0 ? sum / samples : 0.0f);
  }
}

extern "C" __global__ void roi_align_rotated_backward(
    float* map0, float* map1, float* map2, float* map3, float* map4, long long size0,
    long long size1, long long size2, long long size3, long long size4, float scale0,
    float scale1, float scale2, float scale3, float scale4, long long levels, const float* boxes,
    const long long* batch_index, const long long* level, long long count, long long images,
    long long channels, long long channels_last, long long bins, long long sampling_ratio,
    const SCALAR* pooled) {
  float* const maps[] = {map0, map1, map2, map3, map4};
  const long long sizes[] = {size0, size1, size2, size3, size4};
  const float scales[] = {scale0, scale1, scale2, scale3, scale4};
  const long long cells = bins * bins;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < count * cells * channels; i += static_cast<long long>(gridDim.x) * blockDim.x) {
    const long long channel = i % channels, cell = i / channels % cells, box = i / channels / cells;
    const RoiMap<float> map = benchsuite::roi_map(maps, sizes, scales, levels, level[box],
                                                  batch_index[box], images, channels);
    if (map.data == nullptr) continue;
    const RotatedBin bin =
        rotated_bin(boxes + box * 5, map.scale, static_cast<int>(bins),
                    static_cast<int>(sampling_ratio), static_cast<int>(cell / bins),
                    static_cast<int>(cell % bins));
    const long long across = channels_last ? channels : 1, down = across * map.width;
    float* const to = map.data + channel * (channels_last ? 1 : map.height * map.width);
    const float gradient =
        load(pooled + (box * channels + channel) * cells + cell) / bin.samples();
    each_feature(bin, map.height, map.width, [&](long long y, long long x, float weight) {
      atomicAdd(to + y * down + x * across, weight * gradient);
    });
  }
}

// RoIAlign of rotated boxes, and its gradient; ops/roi_align_rotated.py gives the conventions.
// A thread works on a bin of a channel; neighbouring threads work on neighbouring channels.
#include "roi_bins.cuh"
#include "rotated_bin.cuh"
#include "scalar.cuh"

using benchsuite::each_feature;
using benchsuite::RoiMap;
using benchsuite::rotated_bin;
using benchsuite::RotatedBin;

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
      const RotatedBin bin = rotated_bin(
          boxes + box * 5, map.scale, map.height, map.width, static_cast<int>(bins),
          static_cast<int>(sampling_ratio), static_cast<int>(cell / bins),
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
    const RotatedBin bin = rotated_bin(
        boxes + box * 5, map.scale, map.height, map.width, static_cast<int>(bins),
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

// What the kernels that pool or spread regions share: the map that a box is read from, and the
// features of each bin, worked out once a block.
#pragma once

#include "roi_axis.cuh"

namespace benchsuite {

template <class T>
struct RoiMap {
  T* data;  // of the box's image; null where there is none
  long long height, width;
  float scale;
};

// A level's size as the host passes it: height << 32 | width.
template <class T>
__device__ __forceinline__ RoiMap<T> roi_map(T* const* maps, const long long* sizes,
                                             const float* scales, long long count,
                                             long long level, long long image, long long images,
                                             long long channels) {
  RoiMap<T> map = {nullptr, 0, 0, 0.0f};
#pragma unroll  // a parameter is not to be chosen by a number from memory
  for (int i = 0; i < 5; ++i) {
    if (i == level && i < count && image >= 0 && image < images) {
      map.height = sizes[i] >> 32;
      map.width = sizes[i] & 0xffffffff;
      map.scale = scales[i];
      map.data = maps[i] + image * channels * map.height * map.width;
    }
  }
  return map;
}

// A bin's features along an axis, and where their weights lie.
struct RoiSpan {
  int first, count, weights;
};

// A box's bins along both axes: rows' bins, then columns'. The tables lie in shared memory.
struct RoiBins {
  RoiLine rows, columns;
  int height, width;
  int bins;
  int capacity;  // weights an axis
  RoiSpan* span;
  float* weights;

  __device__ __forceinline__ float samples() const {
    return static_cast<float>(rows.samples) * static_cast<float>(columns.samples);
  }
  __device__ __forceinline__ bool empty() const {
    return rows.samples == 0 || columns.samples == 0;
  }
  __device__ __forceinline__ RoiSpan row(int bin) const { return span[bin]; }
  __device__ __forceinline__ RoiSpan column(int bin) const { return span[bins + bin]; }

  // Shared memory behind the tables.
  __device__ __forceinline__ float* behind() const { return weights + 2 * capacity; }

  // By all threads of the block; a barrier must follow.
  __device__ __forceinline__ void fill_tables() const {
    for (int i = threadIdx.x; i < 2 * bins; i += blockDim.x) {
      const bool is_row = i < bins;
      const RoiLine line = is_row ? rows : columns;
      const int size = is_row ? height : width, bin = is_row ? i : i - bins;
      // Neighbouring bins share two features at most, and a third by rounding: bins that lie
      // behind each other as their features do, and three places apart, do not overlap.
      const int place = (is_row ? 0 : capacity) + 3 * (line.step < 0 ? bins - 1 - bin : bin);
      RoiSpan found = {0, 0, 0};
      for (int sample = 0; sample < line.samples; ++sample) {
        const RoiTap tap = roi_tap(roi_sample(line, bin, sample), size);
        if (!tap.inside) continue;
        const int low = static_cast<int>(tap.low);
        if (found.count == 0) found = {low, 0, place + low};
        const int reached = low - found.first + (tap.toward_high > 0 ? 2 : 1);
        for (; found.count < reached; ++found.count) weights[found.weights + found.count] = 0.0f;
        weights[place + low] += 1.0f - tap.toward_high;
        if (tap.toward_high > 0) weights[place + low + 1] += tap.toward_high;
      }
      span[i] = found;
    }
  }
};

// capacity: at least the longest side of any map, and 3 * bins + 4.
template <class T>
__device__ __forceinline__ RoiBins roi_bins(const RoiMap<T>& map, const float* box, int bins,
                                            int sampling_ratio, int capacity, char* shared) {
  RoiBins found;
  found.rows = roi_line(box[1], box[3], map.scale, bins, sampling_ratio, map.height);
  found.columns = roi_line(box[0], box[2], map.scale, bins, sampling_ratio, map.width);
  if (map.data == nullptr) found.rows.samples = 0;
  found.height = static_cast<int>(map.height);
  found.width = static_cast<int>(map.width);
  found.bins = bins;
  found.capacity = capacity;
  found.span = reinterpret_cast<RoiSpan*>(shared);
  found.weights = reinterpret_cast<float*>(found.span + 2 * bins);
  return found;
}

}  // namespace benchsuite

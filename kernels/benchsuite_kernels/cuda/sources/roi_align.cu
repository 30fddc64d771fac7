// RoIAlign; ops/roi_align.py gives the conventions. A block works on some channels of a box.
#include "roi_bins.cuh"
#include "scalar.cuh"

using benchsuite::RoiBins;
using benchsuite::RoiMap;
using benchsuite::RoiSpan;

constexpr int kThreads = 256;
constexpr int kLanes = 32;

// The mean of a bin's samples of one channel, whose features lie `row` and `column` apart.
__device__ __forceinline__ float pooled_bin(const RoiBins& bins, int y, int x, const SCALAR* from,
                                            long long row_stride, long long column_stride) {
  const RoiSpan columns = bins.column(x), rows = bins.row(y);
  from += rows.first * row_stride + columns.first * column_stride;
  const float* const across = bins.weights + columns.weights;
  const float* const down = bins.weights + rows.weights;
  float sum = 0.0f;
  for (int column = 0; column < columns.count; ++column, from += column_stride) {
    const SCALAR* at = from;
    float column_sum = 0.0f;
    for (int row = 0; row < rows.count; ++row, at += row_stride)
      column_sum += down[row] * load(at);
    sum += across[column] * column_sum;
  }
  return sum / bins.samples();
}

// Features are (N, H, W, C). A warp works on a bin, its lanes on neighbouring channels.
extern "C" __global__ void __launch_bounds__(kThreads, 4) roi_align_channels_last(
    const SCALAR* map0, const SCALAR* map1, const SCALAR* map2, const SCALAR* map3,
    const SCALAR* map4, long long size0, long long size1, long long size2,
    long long size3, long long size4, float scale0, float scale1, float scale2,
    float scale3, float scale4, long long levels, const float* boxes, const long long* batch_index,
    const long long* level, long long count, long long images, long long channels, long long share,
    long long bins, long long sampling_ratio, long long capacity, SCALAR* pooled) {
  extern __shared__ char shared_memory[];
  const SCALAR* const maps[] = {map0, map1, map2, map3, map4};
  const long long sizes[] = {size0, size1, size2, size3, size4};
  const float scales[] = {scale0, scale1, scale2, scale3, scale4};
  const long long slices = (channels + share - 1) / share;
  const int size = static_cast<int>(bins), cells = size * size;
  const int lane = threadIdx.x % kLanes, warp = threadIdx.x / kLanes;
  for (long long item = blockIdx.x; item < count * slices; item += gridDim.x) {
    const long long box = item / slices, begin = item % slices * share;
    const int mine = static_cast<int>(channels - begin < share ? channels - begin : share);
    const RoiMap<const SCALAR> map = benchsuite::roi_map(
        maps, sizes, scales, levels, level[box], batch_index[box], images, channels);
    const RoiBins found = benchsuite::roi_bins(
        map, boxes + box * 4, size, static_cast<int>(sampling_ratio), static_cast<int>(capacity),
        shared_memory);
    SCALAR* const to = pooled + (box * channels + begin) * cells;
    if (found.empty()) {
      for (int i = threadIdx.x; i < mine * cells; i += kThreads) store(to + i, 0.0f);
      continue;
    }
    float* const tile = found.behind();  // channels x bins x bins, as they are written
    found.fill_tables();
    __syncthreads();
    for (int cell = warp; cell < cells; cell += kThreads / kLanes)
      for (int c = lane; c < mine; c += kLanes)
        tile[c * cells + cell] =
            pooled_bin(found, cell / size, cell % size, map.data + begin + c,
                       map.width * channels, channels);
    __syncthreads();
    for (int i = threadIdx.x; i < mine * cells; i += kThreads) store(to + i, tile[i]);
    __syncthreads();  // before the next item's tables
  }
}

// Features are (N, C, H, W). A thread works on a bin of a channel.
extern "C" __global__ void __launch_bounds__(kThreads, 4) roi_align_planes(
    const SCALAR* map0, const SCALAR* map1, const SCALAR* map2, const SCALAR* map3,
    const SCALAR* map4, long long size0, long long size1, long long size2,
    long long size3, long long size4, float scale0, float scale1, float scale2,
    float scale3, float scale4, long long levels, const float* boxes, const long long* batch_index,
    const long long* level, long long count, long long images, long long channels, long long share,
    long long bins, long long sampling_ratio, long long capacity, SCALAR* pooled) {
  extern __shared__ char shared_memory[];
  const SCALAR* const maps[] = {map0, map1, map2, map3, map4};
  const long long sizes[] = {size0, size1, size2, size3, size4};
  const float scales[] = {scale0, scale1, scale2, scale3, scale4};
  const long long slices = (channels + share - 1) / share;
  const int size = static_cast<int>(bins), cells = size * size;
  for (long long item = blockIdx.x; item < count * slices; item += gridDim.x) {
    const long long box = item / slices, begin = item % slices * share;
    const int mine = static_cast<int>(channels - begin < share ? channels - begin : share);
    const RoiMap<const SCALAR> map = benchsuite::roi_map(
        maps, sizes, scales, levels, level[box], batch_index[box], images, channels);
    const RoiBins found = benchsuite::roi_bins(
        map, boxes + box * 4, size, static_cast<int>(sampling_ratio), static_cast<int>(capacity),
        shared_memory);
    SCALAR* const to = pooled + (box * channels + begin) * cells;
    if (found.empty()) {
      for (int i = threadIdx.x; i < mine * cells; i += kThreads) store(to + i, 0.0f);
      continue;
    }
    found.fill_tables();
    __syncthreads();
    const long long plane = map.height * map.width;
    for (int i = threadIdx.x; i < mine * cells; i += kThreads) {
      const int c = i / cells, cell = i % cells;
      store(to + i, pooled_bin(found, cell / size, cell % size, map.data + (begin + c) * plane,
                               map.width, 1));
    }
    __syncthreads();  // before the next item's tables
  }
}

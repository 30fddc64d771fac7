#include "roi_align_rotated.hpp"

#include <algorithm>
#include <vector>

#include "clones.hpp"
#include "huge_pages.hpp"
#include "parallel.hpp"
#include "rotated_taps.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kLeastChannels = 16;  // a cache line

struct Scratch {
  RotatedTaps taps;
  std::vector<float> cells;  // cells x channels
};

// Works out where a box reads; false where it reads nothing.
template <class Task>
bool place(const Task& task, int64_t images, int64_t index, RotatedTaps& taps) {
  const int64_t level = task.level[index], image = task.batch_index[index];
  if (level < 0 || level >= static_cast<int64_t>(task.levels.size())) return false;
  if (image < 0 || image >= images) return false;
  taps.place(task.box + index * 5, task.levels[level], task.bins, task.sampling_ratio);
  return taps.samples > 0;
}

// sum[c] += weights[0] * image[features[0]][c] + ..., one after the other, c < channels.
inline void add_vectors(float* BENCHSUITE_RESTRICT sum, const float* BENCHSUITE_RESTRICT image,
                        const int64_t* features, const float* weights, int64_t count,
                        int64_t channels) {
  int64_t k = 0;
  for (; k + 4 <= count; k += 4) {
    const float* BENCHSUITE_RESTRICT v0 = image + features[k] * channels;
    const float* BENCHSUITE_RESTRICT v1 = image + features[k + 1] * channels;
    const float* BENCHSUITE_RESTRICT v2 = image + features[k + 2] * channels;
    const float* BENCHSUITE_RESTRICT v3 = image + features[k + 3] * channels;
    const float w0 = weights[k], w1 = weights[k + 1], w2 = weights[k + 2], w3 = weights[k + 3];
    for (int64_t c = 0; c < channels; ++c)
      sum[c] = sum[c] + w0 * v0[c] + w1 * v1[c] + w2 * v2[c] + w3 * v3[c];
  }
  for (; k < count; ++k) {
    const float* BENCHSUITE_RESTRICT vector = image + features[k] * channels;
    const float weight = weights[k];
    for (int64_t c = 0; c < channels; ++c) sum[c] += weight * vector[c];
  }
}

// One box; `image` is height x width x channels.
BENCHSUITE_CLONES
void pool_channels_last(const float* image, int64_t channels, int64_t cells, Scratch& scratch,
                        float* BENCHSUITE_RESTRICT output) {
  const RotatedTaps& taps = scratch.taps;
  scratch.cells.assign(cells * channels, 0.0f);
  float* const pooled = scratch.cells.data();
  for (int64_t cell = 0; cell < cells; ++cell)
    add_vectors(pooled + cell * channels, image, taps.features(cell), taps.weights(cell),
                taps.count(cell), channels);
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t cell = 0; cell < cells; ++cell)
      output[c * cells + cell] = pooled[cell * channels + c] / taps.samples;
}

// So many planes of one box, `area` features each: sums do not wait for each other.
template <int kPlanes>
void pool_planes(const float* planes, int64_t area, int64_t cells, const RotatedTaps& taps,
                 float* output) {
  for (int64_t cell = 0; cell < cells; ++cell) {
    const int64_t* const features = taps.features(cell);
    const float* const weights = taps.weights(cell);
    const int64_t count = taps.count(cell);
    float sums[kPlanes] = {};
    for (int64_t k = 0; k < count; ++k)
      for (int i = 0; i < kPlanes; ++i) sums[i] += weights[k] * planes[i * area + features[k]];
    for (int i = 0; i < kPlanes; ++i) output[i * cells + cell] = sums[i] / taps.samples;
  }
}

void pool_box(const RoiAlign<float>& task, int64_t images, int64_t index, Scratch& scratch) {
  constexpr int kPlanes = 8;
  const int64_t cells = int64_t{task.bins} * task.bins, values = task.channels * cells;
  float* const output = task.output + index * values;
  if (!place(task, images, index, scratch.taps)) {
    std::fill_n(output, values, 0.0f);
    return;
  }
  const int64_t map = task.level[index];
  const int64_t area = task.levels[map].height * task.levels[map].width;
  const float* const image = task.maps[map] + task.batch_index[index] * task.channels * area;
  if (task.channels_last) return pool_channels_last(image, task.channels, cells, scratch, output);
  int64_t c = 0;
  for (; c + kPlanes <= task.channels; c += kPlanes)
    pool_planes<kPlanes>(image + c * area, area, cells, scratch.taps, output + c * cells);
  for (; c < task.channels; ++c)
    pool_planes<1>(image + c * area, area, cells, scratch.taps, output + c * cells);
}

// Channels first to first + count - 1, which one worker adds up: no two write to the same place.
struct Slice {
  int64_t first, count;
};

// One box; `image` is height x width x channels, `gradient` the box's, channels x cells.
BENCHSUITE_CLONES
void spread_channels_last(float* image, int64_t channels, Slice slice, int64_t cells,
                          Scratch& scratch, const float* BENCHSUITE_RESTRICT gradient) {
  const RotatedTaps& taps = scratch.taps;
  const int64_t count = slice.count;
  scratch.cells.resize(cells * count);
  float* BENCHSUITE_RESTRICT const by_cell = scratch.cells.data();
  for (int64_t c = 0; c < count; ++c)
    for (int64_t cell = 0; cell < cells; ++cell)
      by_cell[cell * count + c] = gradient[(slice.first + c) * cells + cell] / taps.samples;
  for (int64_t cell = 0; cell < cells; ++cell) {
    const float* BENCHSUITE_RESTRICT const from = by_cell + cell * count;
    for (int64_t k = 0; k < taps.count(cell); ++k) {
      float* BENCHSUITE_RESTRICT const to =
          image + taps.features(cell)[k] * channels + slice.first;
      const float weight = taps.weights(cell)[k];
      for (int64_t c = 0; c < count; ++c) to[c] += weight * from[c];
    }
  }
}

// One box; `image` is channels x area.
void spread_planes(float* image, int64_t area, Slice slice, int64_t cells, const RotatedTaps& taps,
                   const float* gradient) {
  for (int64_t c = slice.first; c < slice.first + slice.count; ++c) {
    float* const plane = image + c * area;
    for (int64_t cell = 0; cell < cells; ++cell) {
      const float value = gradient[c * cells + cell] / taps.samples;
      for (int64_t k = 0; k < taps.count(cell); ++k)
        plane[taps.features(cell)[k]] += taps.weights(cell)[k] * value;
    }
  }
}

void spread_box(const RoiAlignBackward& task, int64_t images, int64_t index, Slice slice,
                Scratch& scratch) {
  if (!place(task, images, index, scratch.taps)) return;
  const int64_t map = task.level[index], cells = int64_t{task.bins} * task.bins;
  const int64_t area = task.levels[map].height * task.levels[map].width;
  float* const image = task.sums[map] + task.batch_index[index] * task.channels * area;
  const float* const gradient = task.gradient + index * task.channels * cells;
  if (task.channels_last)
    spread_channels_last(image, task.channels, slice, cells, scratch, gradient);
  else
    spread_planes(image, area, slice, cells, scratch.taps, gradient);
}

}  // namespace

void roi_align_rotated(const RoiAlign<float>& task, int64_t images, int threads) {
  advise_huge_pages(task.output,
                    task.boxes * task.channels * task.bins * task.bins * sizeof(float));
  std::vector<Scratch> scratch(std::max(threads, 1));
  for_each_item(task.boxes, 8, threads, [&](int64_t index, int worker) {
    pool_box(task, images, index, scratch[worker]);
  });
}

void roi_align_rotated_backward(const RoiAlignBackward& task, int64_t images, int threads) {
  threads = std::max(threads, 1);
  const int64_t lines = (task.channels + kLeastChannels - 1) / kLeastChannels;
  const int64_t share = (lines + threads - 1) / threads * kLeastChannels;
  if (share == 0) return;
  std::vector<Scratch> scratch(threads);
  for_each_item((task.channels + share - 1) / share, 1, threads, [&](int64_t item, int worker) {
    const Slice slice{item * share, std::min(share, task.channels - item * share)};
    for (int64_t index = 0; index < task.boxes; ++index)
      spread_box(task, images, index, slice, scratch[worker]);
  });
}

}  // namespace benchsuite

#include <algorithm>

#include "clones.hpp"
#include "parallel.hpp"
#include "roi_align.hpp"
#include "roi_axis.hpp"
#include "roi_order.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kLeastChannels = 16;  // a cache line

// Channels first to last - 1, which one worker adds up: no two write to the same place.
struct Slice {
  int64_t first, count;
};

struct Scratch {
  RoiAxes axes;
  std::vector<float> row, cells;
};

// sum[i] += weight * vector[i], i < size.
inline void add_scaled(float* BENCHSUITE_RESTRICT sum, const float* BENCHSUITE_RESTRICT vector,
                       float weight, int64_t size) {
  for (int64_t i = 0; i < size; ++i) sum[i] += weight * vector[i];
}

// One box; `image` is height x width x channels, `gradient` the box's, channels x bins x bins.
BENCHSUITE_CLONES
void spread_channels_last(float* image, int64_t width, int64_t channels, Slice slice, int bins,
                          Scratch& scratch, const float* BENCHSUITE_RESTRICT gradient) {
  const RoiAxis& rows = scratch.axes.rows;
  const RoiAxis& columns = scratch.axes.columns;
  const int64_t count = slice.count, window = columns.end - columns.begin;
  const int64_t cells = int64_t{bins} * bins;
  const float samples = scratch.axes.samples();
  scratch.cells.resize(cells * count);
  scratch.row.resize(window * count);
  float* BENCHSUITE_RESTRICT const by_cell = scratch.cells.data();
  float* const row = scratch.row.data();
  gradient += slice.first * cells;
  for (int64_t c = 0; c < count; ++c)
    for (int64_t cell = 0; cell < cells; ++cell)
      by_cell[cell * count + c] = gradient[c * cells + cell] / samples;
  for (int y = 0; y < bins; ++y) {
    if (rows.count(y) == 0) continue;
    std::fill_n(row, window * count, 0.0f);
    for (int x = 0; x < bins; ++x)
      for (int64_t k = 0; k < columns.count(x); ++k)
        add_scaled(row + (columns.first(x) - columns.begin + k) * count,
                   by_cell + (y * bins + x) * count, columns.weights(x)[k], count);
    for (int64_t k = 0; k < rows.count(y); ++k) {
      const float weight = rows.weights(y)[k];
      float* to = image + ((rows.first(y) + k) * width + columns.begin) * channels + slice.first;
      if (count == channels) {
        add_scaled(to, row, weight, window * count);
      } else {
        for (int64_t x = 0; x < window; ++x)
          add_scaled(to + x * channels, row + x * count, weight, count);
      }
    }
  }
}

// One box; `image` is channels x height x width.
BENCHSUITE_CLONES
void spread_planes(float* image, int64_t height, int64_t width, Slice slice, int bins,
                   Scratch& scratch, const float* BENCHSUITE_RESTRICT gradient) {
  const RoiAxis& rows = scratch.axes.rows;
  const RoiAxis& columns = scratch.axes.columns;
  const int64_t window = columns.end - columns.begin;
  const float samples = scratch.axes.samples();
  scratch.row.resize(window);
  float* const row = scratch.row.data();
  gradient += slice.first * bins * bins;
  for (int64_t c = slice.first; c < slice.first + slice.count; ++c) {
    float* plane = image + c * height * width + columns.begin;
    for (int y = 0; y < bins; ++y, gradient += bins) {
      if (rows.count(y) == 0) continue;
      std::fill_n(row, window, 0.0f);
      for (int x = 0; x < bins; ++x)
        add_scaled(row + (columns.first(x) - columns.begin), columns.weights(x),
                   gradient[x] / samples, columns.count(x));
      for (int64_t k = 0; k < rows.count(y); ++k)
        add_scaled(plane + (rows.first(y) + k) * width, row, rows.weights(y)[k], window);
    }
  }
}

void spread_box(const RoiAlignBackward& task, int64_t index, Slice slice, Scratch& scratch) {
  const int64_t map = task.level[index];
  const PyramidLevel& level = task.levels[map];
  scratch.axes.place(task.box + index * 4, level, task.bins, task.sampling_ratio);
  if (scratch.axes.empty()) return;
  float* image = task.sums[map] +
                 task.batch_index[index] * task.channels * level.height * level.width;
  const float* gradient = task.gradient + index * task.channels * task.bins * task.bins;
  if (task.channels_last)
    spread_channels_last(image, level.width, task.channels, slice, task.bins, scratch, gradient);
  else
    spread_planes(image, level.height, level.width, slice, task.bins, scratch, gradient);
}

}  // namespace

void RoiAlignBackward::run(int threads) const {
  const std::vector<int64_t> order = roi_order(levels, boxes, box, batch_index, level);
  threads = std::max(threads, 1);
  const int64_t lines = (channels + kLeastChannels - 1) / kLeastChannels;
  const int64_t share = (lines + threads - 1) / threads * kLeastChannels;
  std::vector<Scratch> scratch(threads);
  for_each_item((channels + share - 1) / share, 1, threads, [&](int64_t item, int worker) {
    const Slice slice{item * share, std::min(share, channels - item * share)};
    for (const int64_t index : order) spread_box(*this, index, slice, scratch[worker]);
  });
}

}  // namespace benchsuite

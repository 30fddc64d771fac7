#include "roi_align.hpp"

#include <algorithm>

#include "clones.hpp"
#include "huge_pages.hpp"
#include "parallel.hpp"
#include "roi_axis.hpp"
#include "roi_order.hpp"

namespace benchsuite {
namespace {

struct Scratch {
  RoiAxes axes;
  std::vector<float> row, pooled;
};

// sum[i] = weights[0] * vectors[i] + weights[1] * vectors[stride + i] + ..., i < size.
inline void weighted_sum(float* BENCHSUITE_RESTRICT sum, const float* BENCHSUITE_RESTRICT vectors,
                         int64_t stride, const float* BENCHSUITE_RESTRICT weights, int64_t count,
                         int64_t size) {
  int64_t k = 0;
  if (count % 2) {
    const float w = weights[0];
    for (int64_t i = 0; i < size; ++i) sum[i] = w * vectors[i];
    k = 1;
  } else {
    const float w0 = weights[0], w1 = weights[1];
    const float* BENCHSUITE_RESTRICT next = vectors + stride;
    for (int64_t i = 0; i < size; ++i) sum[i] = w0 * vectors[i] + w1 * next[i];
    k = 2;
  }
  for (; k < count; k += 2) {
    const float w0 = weights[k], w1 = weights[k + 1];
    const float* BENCHSUITE_RESTRICT even = vectors + k * stride;
    const float* BENCHSUITE_RESTRICT odd = even + stride;
    for (int64_t i = 0; i < size; ++i) sum[i] = sum[i] + w0 * even[i] + w1 * odd[i];
  }
}

// One box; `image` is height x width x channels.
BENCHSUITE_CLONES
void pool_channels_last(const float* image, int64_t width, int64_t channels, int bins,
                        Scratch& scratch, float* BENCHSUITE_RESTRICT output) {
  const RoiAxis& rows = scratch.axes.rows;
  const RoiAxis& columns = scratch.axes.columns;
  const int64_t stride = width * channels, window = (columns.end - columns.begin) * channels;
  const int64_t cells = int64_t{bins} * bins;
  scratch.row.resize(window);
  scratch.pooled.assign(cells * channels, 0.0f);
  float* const row = scratch.row.data();
  float* const pooled = scratch.pooled.data();
  for (int y = 0; y < bins; ++y) {
    if (rows.count(y) == 0) continue;
    const float* corner = image + rows.first(y) * stride + columns.begin * channels;
    weighted_sum(row, corner, stride, rows.weights(y), rows.count(y), window);
    for (int x = 0; x < bins; ++x) {
      if (columns.count(x) == 0) continue;
      weighted_sum(pooled + (y * bins + x) * channels,
                   row + (columns.first(x) - columns.begin) * channels, channels,
                   columns.weights(x), columns.count(x), channels);
    }
  }
  const float samples = scratch.axes.samples();
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t cell = 0; cell < cells; ++cell)
      output[c * cells + cell] = pooled[cell * channels + c] / samples;
}

// One box; `image` is channels x height x width.
BENCHSUITE_CLONES
void pool_planes(const float* image, int64_t height, int64_t width, int64_t channels, int bins,
                 Scratch& scratch, float* BENCHSUITE_RESTRICT output) {
  const RoiAxis& rows = scratch.axes.rows;
  const RoiAxis& columns = scratch.axes.columns;
  const int64_t window = columns.end - columns.begin;
  scratch.row.resize(window);
  float* const row = scratch.row.data();
  const float samples = scratch.axes.samples();
  for (int64_t c = 0; c < channels; ++c) {
    const float* plane = image + c * height * width + columns.begin;
    for (int y = 0; y < bins; ++y, output += bins) {
      if (rows.count(y) == 0) {
        std::fill_n(output, bins, 0.0f);
        continue;
      }
      weighted_sum(row, plane + rows.first(y) * width, width, rows.weights(y), rows.count(y),
                   window);
      for (int x = 0; x < bins; ++x) {
        const float* BENCHSUITE_RESTRICT weights = columns.weights(x);
        const float* BENCHSUITE_RESTRICT from = row + (columns.first(x) - columns.begin);
        float sum = 0;
        for (int64_t k = 0; k < columns.count(x); ++k) sum += weights[k] * from[k];
        output[x] = sum / samples;
      }
    }
  }
}

void pool_box(const RoiAlign& task, int64_t index, Scratch& scratch) {
  const PyramidLevel& level = task.levels[task.level[index]];
  scratch.axes.place(task.box + index * 4, level, task.bins, task.sampling_ratio);
  const int64_t values = task.channels * task.bins * task.bins;
  float* output = task.output + index * values;
  if (scratch.axes.empty()) {
    std::fill_n(output, values, 0.0f);
    return;
  }
  const float* image =
      level.data + task.batch_index[index] * task.channels * level.height * level.width;
  if (task.channels_last)
    pool_channels_last(image, level.width, task.channels, task.bins, scratch, output);
  else
    pool_planes(image, level.height, level.width, task.channels, task.bins, scratch, output);
}

}  // namespace

void RoiAlign::run(int threads) const {
  advise_huge_pages(output, boxes * channels * bins * bins * sizeof(float));
  const std::vector<int64_t> order = roi_order(levels, boxes, box, batch_index, level);
  std::vector<Scratch> scratch(std::max(threads, 1));
  for_each_item(boxes, 8, threads,
                [&](int64_t item, int worker) { pool_box(*this, order[item], scratch[worker]); });
}

}  // namespace benchsuite

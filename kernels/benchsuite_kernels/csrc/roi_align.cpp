#include "roi_align.hpp"

#include <algorithm>

#include "clones.hpp"
#include "huge_pages.hpp"
#include "parallel.hpp"
#include "roi_axis.hpp"
#include "roi_order.hpp"
#include "scalars.hpp"

namespace benchsuite {
namespace {

struct Scratch {
  RoiAxes axes;
  std::vector<float> row, pooled, window;
};

// sum[i] = weights[0] * vectors[i] + weights[1] * vectors[stride + i] + ..., i < size.
template <class T>
BENCHSUITE_INLINE void weighted_sum(float* BENCHSUITE_RESTRICT sum,
                                    const T* BENCHSUITE_RESTRICT vectors, int64_t stride,
                                    const float* BENCHSUITE_RESTRICT weights, int64_t count,
                                    int64_t size) {
  int64_t k = 0;
  if (count % 2) {
    const float w = weights[0];
    for (int64_t i = 0; i < size; ++i) sum[i] = w * widened(vectors[i]);
    k = 1;
  } else {
    const float w0 = weights[0], w1 = weights[1];
    const T* BENCHSUITE_RESTRICT next = vectors + stride;
    for (int64_t i = 0; i < size; ++i) sum[i] = w0 * widened(vectors[i]) + w1 * widened(next[i]);
    k = 2;
  }
  for (; k < count; k += 2) {
    const float w0 = weights[k], w1 = weights[k + 1];
    const T* BENCHSUITE_RESTRICT even = vectors + k * stride;
    const T* BENCHSUITE_RESTRICT odd = even + stride;
    for (int64_t i = 0; i < size; ++i)
      sum[i] = sum[i] + w0 * widened(even[i]) + w1 * widened(odd[i]);
  }
}

// One box; `image` is height x width x channels, and begins with the feature at `top`, `left`.
template <class T>
BENCHSUITE_INLINE void pool_vectors(const T* image, int64_t top, int64_t left, int64_t width,
                                    int64_t channels, int bins, const RoiAxes& axes,
                                    Scratch& scratch, float* BENCHSUITE_RESTRICT output) {
  const RoiAxis& rows = axes.rows;
  const RoiAxis& columns = axes.columns;
  const int64_t stride = width * channels, window = (columns.end - columns.begin) * channels;
  const int64_t cells = int64_t{bins} * bins;
  scratch.row.resize(window);
  scratch.pooled.assign(cells * channels, 0.0f);
  float* const row = scratch.row.data();
  float* const pooled = scratch.pooled.data();
  for (int y = 0; y < bins; ++y) {
    if (rows.count(y) == 0) continue;
    const T* corner =
        image + (rows.first(y) - top) * stride + (columns.begin - left) * channels;
    weighted_sum(row, corner, stride, rows.weights(y), rows.count(y), window);
    for (int x = 0; x < bins; ++x) {
      if (columns.count(x) == 0) continue;
      weighted_sum(pooled + (y * bins + x) * channels,
                   row + (columns.first(x) - columns.begin) * channels, channels,
                   columns.weights(x), columns.count(x), channels);
    }
  }
  const float samples = axes.samples();
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t cell = 0; cell < cells; ++cell)
      output[c * cells + cell] = pooled[cell * channels + c] / samples;
}

// One box; `image` is channels x height x width.
template <class T>
BENCHSUITE_INLINE void pool_rows(const T* image, int64_t height, int64_t width, int64_t channels,
                                 int bins, const RoiAxes& axes, Scratch& scratch,
                                 float* BENCHSUITE_RESTRICT output) {
  const RoiAxis& rows = axes.rows;
  const RoiAxis& columns = axes.columns;
  const int64_t window = columns.end - columns.begin;
  scratch.row.resize(window);
  float* const row = scratch.row.data();
  const float samples = axes.samples();
  for (int64_t c = 0; c < channels; ++c) {
    const T* plane = image + c * height * width + columns.begin;
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

// Boxes that are read from one map, order[begin] to order[end - 1], and the part of it that they
// read.
struct Readers {
  int64_t begin, end;
  int64_t top = INT64_MAX, bottom = 0, left = INT64_MAX, right = 0;
  int64_t reads = 0;  // features, counted once a box

  void add(const RoiAxes& axes) {
    if (axes.empty()) return;
    top = std::min(top, axes.rows.begin);
    bottom = std::max(bottom, axes.rows.end);
    left = std::min(left, axes.columns.begin);
    right = std::max(right, axes.columns.end);
    reads += (axes.rows.end - axes.rows.begin) * (axes.columns.end - axes.columns.begin);
  }
  // Whether reading the part once, to put it in another order, is little beside what boxes read.
  bool many() const { return reads > 0 && reads * 2 > (bottom - top) * (right - left); }
};

// Puts the planes of `count` channels, height x width each, into rows x columns x count.
template <class T>
BENCHSUITE_INLINE void gather_rows(const T* BENCHSUITE_RESTRICT planes, int64_t height,
                                   int64_t width, const Readers& part, int64_t count,
                                   float* BENCHSUITE_RESTRICT window) {
  const int64_t columns = part.right - part.left;
  for (int64_t y = part.top; y < part.bottom; ++y, window += columns * count)
    for (int64_t c = 0; c < count; ++c) {
      const T* BENCHSUITE_RESTRICT row = planes + (c * height + y) * width + part.left;
      for (int64_t x = 0; x < columns; ++x) window[x * count + c] = widened(row[x]);
    }
}

// The same, compiled for each type and instruction set.
#define BENCHSUITE_POOL_CLONES(T)                                                               \
  BENCHSUITE_CLONES                                                                             \
  void pool_channels_last(const T* image, int64_t top, int64_t left, int64_t width,             \
                          int64_t channels, int bins, const RoiAxes& axes, Scratch& scratch,    \
                          float* output) {                                                      \
    pool_vectors(image, top, left, width, channels, bins, axes, scratch, output);               \
  }                                                                                             \
  BENCHSUITE_CLONES                                                                             \
  void pool_planes(const T* image, int64_t height, int64_t width, int64_t channels, int bins,   \
                   const RoiAxes& axes, Scratch& scratch, float* output) {                      \
    pool_rows(image, height, width, channels, bins, axes, scratch, output);                     \
  }                                                                                             \
  BENCHSUITE_CLONES                                                                             \
  void gather_channels(const T* planes, int64_t height, int64_t width, const Readers& part,     \
                       int64_t count, float* window) {                                          \
    gather_rows(planes, height, width, part, count, window);                                    \
  }
BENCHSUITE_POOL_CLONES(float)
BENCHSUITE_POOL_CLONES(Half)
BENCHSUITE_POOL_CLONES(BFloat16)
#undef BENCHSUITE_POOL_CLONES

// A box of maps whose channels lie densest.
template <class T>
void pool_box(const RoiAlign<T>& task, int64_t index, Scratch& scratch) {
  const int64_t map = task.level[index];
  const PyramidLevel& level = task.levels[map];
  scratch.axes.place(task.box + index * 4, level, task.bins, task.sampling_ratio);
  const int64_t values = task.channels * task.bins * task.bins;
  float* output = task.output + index * values;
  if (scratch.axes.empty()) {
    std::fill_n(output, values, 0.0f);
    return;
  }
  const T* image =
      task.maps[map] + task.batch_index[index] * task.channels * level.height * level.width;
  pool_channels_last(image, 0, 0, level.width, task.channels, task.bins, scratch.axes, scratch,
                     output);
}

template <class T>
std::vector<Readers> readers(const RoiAlign<T>& task, const std::vector<int64_t>& order,
                             const std::vector<RoiAxes>& axes) {
  std::vector<Readers> found;
  for (int64_t i = 0; i < task.boxes; ++i) {
    const bool same = i > 0 && task.level[order[i]] == task.level[order[i - 1]] &&
                      task.batch_index[order[i]] == task.batch_index[order[i - 1]];
    if (!same) found.push_back({i, i});
    found.back().end = i + 1;
    found.back().add(axes[order[i]]);
  }
  return found;
}

constexpr int64_t kChannels = 16;  // a cache line, and a vector

// A few channels of all boxes of a map.
template <class T>
void pool_slice(const RoiAlign<T>& task, const Readers& part, const std::vector<int64_t>& order,
                const std::vector<RoiAxes>& axes, int64_t first, Scratch& scratch) {
  const int64_t count = std::min(kChannels, task.channels - first);
  const int64_t image = task.batch_index[order[part.begin]];
  const int64_t map = task.level[order[part.begin]];
  const PyramidLevel& level = task.levels[map];
  const T* planes =
      task.maps[map] + (image * task.channels + first) * level.height * level.width;
  const int64_t cells = int64_t{task.bins} * task.bins;
  const bool gathered = part.many();
  if (gathered) {
    scratch.window.resize((part.bottom - part.top) * (part.right - part.left) * count);
    gather_channels(planes, level.height, level.width, part, count, scratch.window.data());
  }
  for (int64_t i = part.begin; i < part.end; ++i) {
    const RoiAxes& own = axes[order[i]];
    float* output = task.output + (order[i] * task.channels + first) * cells;
    if (own.empty())
      std::fill_n(output, count * cells, 0.0f);
    else if (gathered)
      pool_channels_last(scratch.window.data(), part.top, part.left, part.right - part.left, count,
                         task.bins, own, scratch, output);
    else
      pool_planes(planes, level.height, level.width, count, task.bins, own, scratch, output);
  }
}

// Maps whose planes lie one after the other, a few channels at a time.
template <class T>
void pool_all_planes(const RoiAlign<T>& task, const std::vector<int64_t>& order, int threads) {
  std::vector<RoiAxes> axes(task.boxes);
  for (int64_t i = 0; i < task.boxes; ++i)
    axes[i].place(task.box + i * 4, task.levels[task.level[i]], task.bins, task.sampling_ratio);
  const std::vector<Readers> parts = readers(task, order, axes);
  const int64_t slices = (task.channels + kChannels - 1) / kChannels;
  const int64_t items = slices * static_cast<int64_t>(parts.size());
  int64_t reads = 0;
  for (const Readers& part : parts) reads += part.reads;
  std::vector<Scratch> scratch(std::max(threads, 1));
  for_each_item(items, grain_of(items, reads * task.channels), threads,
                [&](int64_t item, int worker) {
                  pool_slice(task, parts[item / slices], order, axes, item % slices * kChannels,
                             scratch[worker]);
                });
}

}  // namespace

template <class T>
void RoiAlign<T>::run(int threads) const {
  advise_huge_pages(output, boxes * channels * bins * bins * sizeof(float));
  const std::vector<int64_t> order = roi_order(levels, boxes, box, batch_index, level);
  if (!channels_last) return pool_all_planes(*this, order, threads);
  std::vector<Scratch> scratch(std::max(threads, 1));
  for_each_item(boxes, 8, threads,
                [&](int64_t item, int worker) { pool_box(*this, order[item], scratch[worker]); });
}

template struct RoiAlign<float>;
template struct RoiAlign<Half>;
template struct RoiAlign<BFloat16>;

}  // namespace benchsuite

#include "roi_align.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "clones.hpp"
#include "huge_pages.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr float kMostSamples = 1 << 20;
constexpr float kTile = 8;  // features

// A bin's mean of bilinear samples is separable: a weighted sum over feature rows of weighted sums
// over feature columns. This holds one axis: the features that each bin reads, and their weights.
class Axis {
 public:
  int samples = 0;             // a bin
  int64_t begin = 0, end = 0;  // the features that any bin reads

  int64_t first(int bin) const { return first_[bin]; }
  int64_t count(int bin) const { return count_[bin]; }
  const float* weights(int bin) const { return weights_.data() + bin * stride_; }

  // start, extent: the box, in features; size: of the feature map.
  void place(float start, float extent, int bins, int sampling_ratio, int64_t size) {
    const float step = extent / static_cast<float>(bins);
    const bool sound = std::fabs(step) < kMostSamples && size > 0;  // false for NaN too
    const int reach = sound ? static_cast<int>(std::ceil(std::fabs(step))) : 0;
    samples = !sound ? 0 : sampling_ratio > 0 ? sampling_ratio : step > 0 ? reach : 0;
    // A bin reads a feature beyond either end of its reach, and one for rounding.
    stride_ = std::min<int64_t>(reach + 3, size);
    first_.assign(bins, 0);
    count_.assign(bins, 0);
    weights_.assign(bins * stride_, 0.0f);
    begin = size;
    end = 0;
    for (int bin = 0; bin < bins; ++bin) {
      add_samples(bin, start, step, size);
      if (count_[bin] == 0) continue;
      begin = std::min(begin, first_[bin]);
      end = std::max(end, first_[bin] + count_[bin]);
    }
  }

 private:
  std::vector<int64_t> first_, count_;
  std::vector<float> weights_;
  int64_t stride_ = 0;

  void add_samples(int bin, float start, float step, int64_t size) {
    const float limit = static_cast<float>(size);
    for (int i = 0; i < samples; ++i) {
      const int sample = step < 0 ? samples - 1 - i : i;  // ascending positions
      float at = start + static_cast<float>(bin) * step +
                 (static_cast<float>(sample) + 0.5f) * step / static_cast<float>(samples);
      if (!(at >= -1.0f && at <= limit)) continue;
      at = std::max(at, 0.0f);
      const int64_t low = std::min(static_cast<int64_t>(at), size - 1);
      const float toward_high = low < size - 1 ? at - static_cast<float>(low) : 0.0f;
      add(bin, low, 1.0f - toward_high);
      if (toward_high > 0) add(bin, low + 1, toward_high);
    }
  }

  void add(int bin, int64_t feature, float weight) {
    if (count_[bin] == 0) first_[bin] = feature;
    const int64_t offset = feature - first_[bin];
    weights_[bin * stride_ + offset] += weight;
    count_[bin] = std::max(count_[bin], offset + 1);
  }
};

struct Scratch {
  Axis rows, columns;
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
  const Axis& rows = scratch.rows;
  const Axis& columns = scratch.columns;
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
  const float samples = static_cast<float>(rows.samples) * static_cast<float>(columns.samples);
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t cell = 0; cell < cells; ++cell)
      output[c * cells + cell] = pooled[cell * channels + c] / samples;
}

// One box; `image` is channels x height x width.
BENCHSUITE_CLONES
void pool_planes(const float* image, int64_t height, int64_t width, int64_t channels, int bins,
                 Scratch& scratch, float* BENCHSUITE_RESTRICT output) {
  const Axis& rows = scratch.rows;
  const Axis& columns = scratch.columns;
  const int64_t window = columns.end - columns.begin;
  scratch.row.resize(window);
  float* const row = scratch.row.data();
  const float samples = static_cast<float>(rows.samples) * static_cast<float>(columns.samples);
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
  const float* box = task.box + index * 4;
  const float x = box[0] * level.scale - 0.5f, right = box[2] * level.scale - 0.5f;
  const float y = box[1] * level.scale - 0.5f, bottom = box[3] * level.scale - 0.5f;
  scratch.columns.place(x, right - x, task.bins, task.sampling_ratio, level.width);
  scratch.rows.place(y, bottom - y, task.bins, task.sampling_ratio, level.height);
  const int64_t values = task.channels * task.bins * task.bins;
  float* output = task.output + index * values;
  if (scratch.rows.begin >= scratch.rows.end || scratch.columns.begin >= scratch.columns.end) {
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

// Every second bit, from bit 0.
uint64_t spread(uint32_t value) {
  uint64_t bits = value & 0xffff;
  bits = (bits | bits << 8) & 0x00ff00ff;
  bits = (bits | bits << 4) & 0x0f0f0f0f;
  bits = (bits | bits << 2) & 0x33333333;
  return (bits | bits << 1) & 0x55555555;
}

// The boxes along a Z-shaped curve over each feature map, so that one box finds in the cache what
// its neighbour has read.
std::vector<int64_t> by_place(const RoiAlign& task) {
  std::vector<std::pair<uint64_t, int64_t>> keys(task.boxes);
  for (int64_t i = 0; i < task.boxes; ++i) {
    const float* box = task.box + i * 4;
    const float scale = task.levels[task.level[i]].scale / 2;
    auto tile = [&](float low, float high) {
      const float centre = (low + high) * scale / kTile;
      return static_cast<uint32_t>(std::min(std::max(centre, 0.0f), 65535.0f));  // NaN to 0
    };
    const uint64_t map = static_cast<uint64_t>(task.level[i]) << 24 | (task.batch_index[i] & 0xffffff);
    keys[i] = {map << 32 | spread(tile(box[1], box[3])) << 1 | spread(tile(box[0], box[2])), i};
  }
  std::sort(keys.begin(), keys.end());
  std::vector<int64_t> order(task.boxes);
  for (int64_t i = 0; i < task.boxes; ++i) order[i] = keys[i].second;
  return order;
}

}  // namespace

void RoiAlign::run(int threads) const {
  advise_huge_pages(output, boxes * channels * bins * bins * sizeof(float));
  const std::vector<int64_t> order = by_place(*this);
  std::vector<Scratch> scratch(std::max(threads, 1));
  for_each_item(boxes, 8, threads,
                [&](int64_t item, int worker) { pool_box(*this, order[item], scratch[worker]); });
}

}  // namespace benchsuite

// Where the bins of a RoIAlign read, and what each value weighs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "roi_align.hpp"

namespace benchsuite {

// A bin's mean of bilinear samples is separable: a weighted sum over feature rows of weighted sums
// over feature columns. This holds one axis: the features that each bin reads, and their weights.
class RoiAxis {
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
  static constexpr float kMostSamples = 1 << 20;

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

// Both axes of one box.
struct RoiAxes {
  RoiAxis rows, columns;

  // box: xyxy, input pixels.
  void place(const float* box, const PyramidLevel& level, int bins, int sampling_ratio) {
    const float x = box[0] * level.scale - 0.5f, right = box[2] * level.scale - 0.5f;
    const float y = box[1] * level.scale - 0.5f, bottom = box[3] * level.scale - 0.5f;
    columns.place(x, right - x, bins, sampling_ratio, level.width);
    rows.place(y, bottom - y, bins, sampling_ratio, level.height);
  }

  // Whether nothing is read.
  bool empty() const { return rows.begin >= rows.end || columns.begin >= columns.end; }

  // Samples of a bin.
  float samples() const {
    return static_cast<float>(rows.samples) * static_cast<float>(columns.samples);
  }
};

}  // namespace benchsuite

// Where the bins of a RoIAlign read, and what each value weighs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../cuda/sources/roi_axis.cuh"
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

  void place(const RoiLine& line, int bins, int64_t size) {
    samples = line.samples;
    // A bin reads a feature beyond either end of its reach, and one for rounding.
    stride_ = std::min<int64_t>(roi_reach(line.step) + 3, size);
    first_.assign(bins, 0);
    count_.assign(bins, 0);
    weights_.assign(bins * stride_, 0.0f);
    begin = size;
    end = 0;
    for (int bin = 0; bin < bins; ++bin) {
      each_roi_tap(line, bin, size,
                   [&](int64_t feature, float weight) { add(bin, feature, weight); });
      if (count_[bin] == 0) continue;
      begin = std::min(begin, first_[bin]);
      end = std::max(end, first_[bin] + count_[bin]);
    }
  }

 private:
  std::vector<int64_t> first_, count_;
  std::vector<float> weights_;
  int64_t stride_ = 0;

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
    const auto line = [&](float low, float high, int64_t size) {
      return roi_line(low, high, level.scale, bins, sampling_ratio, size);
    };
    columns.place(line(box[0], box[2], level.width), bins, level.width);
    rows.place(line(box[1], box[3], level.height), bins, level.height);
  }

  // Whether nothing is read.
  bool empty() const { return rows.begin >= rows.end || columns.begin >= columns.end; }

  // Samples of a bin.
  float samples() const {
    return static_cast<float>(rows.samples) * static_cast<float>(columns.samples);
  }
};

}  // namespace benchsuite

// The features round the samples of a rotated box, and what they weigh.
#pragma once

#include <cstdint>
#include <vector>

#include "../cuda/sources/rotated_bin.cuh"
#include "roi_align.hpp"

namespace benchsuite {

// All bins of one box, in the order in which they are added up. A sample outside the map has none,
// so that a box of any size has no more of them than the map has room for.
class RotatedTaps {
 public:
  float samples = 0;  // a bin; none where the box reads nothing

  void place(const float* box, const PyramidLevel& level, int bins, int sampling_ratio) {
    feature_.clear();
    weight_.clear();
    begin_.assign(1, 0);
    for (int row = 0; row < bins; ++row)
      for (int column = 0; column < bins; ++column) {
        const RotatedBin bin = rotated_bin(box, level.scale, level.height, level.width, bins,
                                           sampling_ratio, row, column);
        samples = bin.samples();
        each_feature(bin, level.height, level.width, [&](int64_t y, int64_t x, float weight) {
          feature_.push_back(y * level.width + x);
          weight_.push_back(weight);
        });
        begin_.push_back(static_cast<int64_t>(feature_.size()));
      }
  }

  int64_t count(int64_t cell) const { return begin_[cell + 1] - begin_[cell]; }
  // Places in a plane.
  const int64_t* features(int64_t cell) const { return feature_.data() + begin_[cell]; }
  const float* weights(int64_t cell) const { return weight_.data() + begin_[cell]; }

 private:
  std::vector<int64_t> feature_, begin_;
  std::vector<float> weight_;
};

}  // namespace benchsuite

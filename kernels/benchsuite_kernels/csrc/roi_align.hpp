// RoIAlign over pyramid levels; ops/roi_align.py gives the conventions.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

struct PyramidLevel {
  const float* data;  // images x channels x height x width, or channels last
  int64_t height, width;
  float scale;
};

struct RoiAlign {
  std::vector<PyramidLevel> levels;
  int64_t channels;
  bool channels_last;
  int bins;            // a side
  int sampling_ratio;  // 0: adaptive
  int64_t boxes;
  const float* box;            // boxes x 4, xyxy, input pixels
  const int64_t* batch_index;  // boxes
  const int64_t* level;        // boxes
  float* output;               // boxes x channels x bins x bins

  void run(int threads) const;
};

}  // namespace benchsuite

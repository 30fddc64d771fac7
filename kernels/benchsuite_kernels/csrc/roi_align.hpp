// RoIAlign over pyramid levels; ops/roi_align.py gives the conventions.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

struct PyramidLevel {
  int64_t height, width;
  float scale;
};

// Of features that are float, Half or BFloat16; all is computed in float.
template <class T>
struct RoiAlign {
  std::vector<PyramidLevel> levels;
  std::vector<const T*> maps;  // a level: images x channels x height x width, or channels last
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

// The gradient of a RoiAlign in its features, added up in an order of its own that does not depend
// on the number of threads. Members are as of RoiAlign, but for what is named here.
struct RoiAlignBackward {
  std::vector<PyramidLevel> levels;
  std::vector<float*> sums;  // a level: added to, laid out as the features
  int64_t channels;
  bool channels_last;
  int bins;
  int sampling_ratio;
  int64_t boxes;
  const float* box;
  const int64_t* batch_index;
  const int64_t* level;
  const float* gradient;  // boxes x channels x bins x bins

  void run(int threads) const;
};

}  // namespace benchsuite

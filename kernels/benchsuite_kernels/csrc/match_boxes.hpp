// Which object each box stands for, by intersection over union, without a matrix of overlaps.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

struct BoxMatch {
  const float* boxes;          // (count, 4), xyxy
  int64_t count;
  const int64_t* image_index;  // (count,), or null: the boxes are those of every image
  const float* objects;        // those of an image stand together
  std::vector<int64_t> starts;  // of each image's objects, and behind the last
  std::vector<float> thresholds;
  std::vector<int64_t> labels;  // one more; of a box whose overlap reaches so many thresholds
  bool low_quality_matches;     // what overlaps an object most is positive (1)
  int64_t* matched;             // (count,), or (images, count)
  int64_t* label;

  int64_t images() const { return static_cast<int64_t>(starts.size()) - 1; }

  // The result is the same for any number of threads.
  void run(int threads) const;
};

}  // namespace benchsuite

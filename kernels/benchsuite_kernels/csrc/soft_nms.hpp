// Soft-NMS; ops/soft_nms.py gives the conventions.
#pragma once

#include <cstdint>

#include "../cuda/sources/soft_nms_decay.cuh"

namespace benchsuite {

// boxes: images x count x 4; scores and groups: images x count. Writes index and taken_scores
// (images x limit) as far as candidates are taken, and counts (images). A candidate is taken while
// its score is greater than min_score, which is 0 or more.
struct SoftNms {
  const float* boxes;
  const float* scores;
  const int64_t* groups;
  int64_t images, count, limit;
  SoftNmsDecay decay;
  float min_score;
  int64_t* index;
  float* taken_scores;
  int64_t* counts;

  void run(int threads) const;

 private:
  void run_image(int64_t image) const;
};

}  // namespace benchsuite

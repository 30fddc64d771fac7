// Greedy non-maximum suppression within groups; ops/batched_nms.py gives the conventions.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

// Boxes (xyxy), scores and groups of `count` candidates.
struct BoxCandidates {
  const float* boxes;
  const float* scores;
  const int64_t* groups;
  int64_t count;
};

// The kept indices in descending order of score.
std::vector<int64_t> batched_nms(const BoxCandidates& candidates, double iou_threshold,
                                 int threads);

// The same of each of `images` images, of which `all` holds `count` candidates each; those whose
// score is minus infinity are absent. Writes images x limit indices, -1 behind the last, and how
// many each image keeps.
void nms_per_image(const BoxCandidates& all, int64_t images, double iou_threshold, int64_t limit,
                   int64_t* index, int64_t* counts, int threads);

}  // namespace benchsuite

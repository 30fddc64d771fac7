// Greedy non-maximum suppression within groups; ops/batched_nms.py gives the conventions.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

// boxes: count x 4, xyxy. Returns the kept indices in descending order of score.
std::vector<int64_t> batched_nms(const float* boxes, const float* scores, const int64_t* groups,
                                 int64_t count, double iou_threshold, int threads);

}  // namespace benchsuite

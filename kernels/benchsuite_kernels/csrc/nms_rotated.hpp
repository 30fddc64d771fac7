// Greedy suppression of rotated boxes; ops/nms_rotated_per_image.py gives the conventions.
#pragma once

#include <cstdint>

#include "../cuda/sources/rotated_iou.cuh"

namespace benchsuite {

// As nms_per_image of batched_nms.hpp.
void nms_rotated_per_image(const rotated::Box* boxes, const float* scores, const int64_t* groups,
                           int64_t images, int64_t count, double iou_threshold, int64_t limit,
                           int64_t* index, int64_t* counts, int threads);

}  // namespace benchsuite

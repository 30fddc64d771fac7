// Overlaps of every box with every other; ops/pairwise_iou.py and ops/pairwise_iou_rotated.py give
// the conventions.
#pragma once

#include <cstdint>

#include "../cuda/sources/rotated_iou.cuh"

namespace benchsuite {

// boxes: count x 4, others: other_count x 4, xyxy. Writes count x other_count overlaps.
void pairwise_iou(const float* boxes, int64_t count, const float* others, int64_t other_count,
                  float* overlaps, int threads);

void pairwise_iou_rotated(const rotated::Box* boxes, int64_t count, const rotated::Box* others,
                          int64_t other_count, float* overlaps, int threads);

}  // namespace benchsuite

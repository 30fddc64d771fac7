// Boxes as deltas or distances from reference boxes; ops/decode_boxes.py gives the conventions.
#pragma once

#include <cstdint>

#include "../cuda/sources/box_coding.cuh"

namespace benchsuite {

// Reference boxes of rows: row i has box (i / repeat) % count.
struct ReferenceBoxes {
  const Corners* boxes;
  int64_t count, repeat;
};

// values and boxes: rows x 4.
void decode_boxes(const BoxCoding& coding, const float* values, const ReferenceBoxes& references,
                  int64_t rows, Corners* boxes, int threads);

// targets and values: rows x 4.
void encode_boxes(const BoxCoding& coding, const Corners* targets,
                  const ReferenceBoxes& references, int64_t rows, float* values, int threads);

}  // namespace benchsuite

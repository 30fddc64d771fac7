// Mask head outputs to RLE without the full mask; ops/paste_masks.py gives the conventions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace benchsuite {

// masks: count x side x side; boxes: count x 4, xyxy, image pixels.
std::vector<std::string> paste_masks(const float* masks, const float* boxes, int64_t count,
                                     int64_t side, int64_t height, int64_t width, float threshold,
                                     int threads);

}  // namespace benchsuite

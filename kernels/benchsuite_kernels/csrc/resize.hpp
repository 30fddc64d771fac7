// Images of 8 bits resized by Pillow's bilinear filter, which smooths when it shrinks.
#pragma once

#include <cstdint>

namespace benchsuite::resize {

// What Pillow's Image.resize(BILINEAR) makes of an RGB image, to the bit: first along rows, then
// along columns, rounded to 8 bits in between.
// `source`: height x width x 3, `target`: new_height x new_width x 3; no side is 0.
void bilinear(const uint8_t* source, int64_t height, int64_t width, uint8_t* target,
              int64_t new_height, int64_t new_width);

}  // namespace benchsuite::resize

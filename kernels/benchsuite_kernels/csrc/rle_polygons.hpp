// Polygons to run-length encoding, to the pixel as pycocotools rasterises them.
#pragma once

#include <cstdint>
#include <string>

#include "rle.hpp"

namespace benchsuite::rle {

// Largest absolute coordinate that is taken: five times it fits 32 bits.
constexpr double kLargestCoordinate = 4e8;

// The compressed counts of the union of polygons in an image of `height` x `width` pixels.
// Polygon i is the next numbers[i] coordinates (x, y, x, y, ...): an even number of at least 6,
// finite and at most kLargestCoordinate. No polygon is an empty mask.
std::string from_polygons(const double* points, const int32_t* numbers, int64_t polygons,
                          int64_t height, int64_t width);

// The same, as the places where the mask changes.
void draw_polygons(const double* points, const int32_t* numbers, int64_t polygons, int64_t height,
                   int64_t width, Changes& united);

}  // namespace benchsuite::rle

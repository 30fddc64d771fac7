// Polygons as regions see them; ops/polygon_targets.py gives the conventions.
#pragma once

#include <cstdint>

namespace benchsuite {

struct PolygonTargets {
  const double* points;           // x and y of each
  const int64_t* polygon_starts;  // the first point of each polygon, and the end
  const int64_t* mask_starts;     // the first polygon of each mask, and the end
  const int64_t* matched;         // the mask of each region
  const float* boxes;             // regions x 4, xyxy
  int64_t regions, size;
  bool* targets;                  // regions x size x size

  void draw(int threads) const;
};

}  // namespace benchsuite

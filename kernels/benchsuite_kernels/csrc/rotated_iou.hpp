// Overlaps of rotated boxes; columns/rotated_iou.py describes how they are computed.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite::rotated {

// A box as the Python side prepares it.
struct Box {
  double x, y;                     // centre
  double cosine, sine;             // of its angle
  double half_width, half_height;  // of its own sides
  double reach_x, reach_y;         // half the sides of the upright box round it
};
static_assert(sizeof(Box) == 8 * sizeof(double), "a row of the array is a box");

// Detections and truths, and which truths are compared with a detection: those whose rows are
// order[first[i]] to order[stop[i]].
struct Sides {
  const Box* detections;
  int64_t detection_count;
  const Box* truths;
  const bool* crowd;
  const int64_t* order;
  const int64_t* first;
  const int64_t* stop;
};

struct Pairs {
  std::vector<int64_t> starts, truths;
  std::vector<double> values;
};

// The pairs that overlap by `least` or more.
Pairs overlapping(const Sides& sides, double least, int threads);

}  // namespace benchsuite::rotated

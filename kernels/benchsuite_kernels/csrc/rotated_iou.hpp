// Overlaps of rotated boxes; columns/rotated_iou.py describes how they are computed.
#pragma once

#include <cstdint>
#include <vector>

#include "../cuda/sources/rotated_iou.cuh"

namespace benchsuite::rotated {

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

// Which detections and truths of a group overlap; columns/overlapping_pairs.py describes it.
#pragma once

#include <cstdint>
#include <vector>

#include "group_order.hpp"
#include "overlaps.hpp"

namespace benchsuite {

// The pairs of detection i (row) are starts[i] to starts[i + 1], by ascending row of truths.
struct OverlappingPairs {
  std::vector<int64_t> starts, truths;
  std::vector<double> values;
};

// `order` is one in which every detection counts.
OverlappingPairs overlapping_pairs(const GroupOrder& order, int64_t detections,
                                   const Overlaps& overlaps, const bool* crowd, double least,
                                   int threads);

}  // namespace benchsuite

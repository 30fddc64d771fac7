// Greedy matching of detections to truths, as pycocotools' COCOeval.evaluateImg;
// columns/detection_match.py describes it.
#pragma once

#include <cstdint>

#include "group_order.hpp"
#include "overlaps.hpp"

namespace benchsuite {

struct DetectionColumns {
  const double* areas;
  const bool* ignored_if_unmatched;  // or null
};

struct TruthColumns {
  const double* areas;
  const bool* ignored;
  const bool* crowd;
  const bool* loses_match;  // or null
  int64_t count;
};

struct MatchRule {
  const double* thresholds;
  int64_t threshold_count;  // at most 64
  const double* area_ranges;  // pairs of smallest and largest
  int64_t area_count;
};

// Bit t stands for threshold t. One row of `matched` and `ignored` an area range, of all detections
// that count; likewise of all truths.
template <class Bits>
struct MatchTable {
  int64_t* order;
  int32_t* ranks;
  Bits* matched;
  Bits* ignored;
  Bits* truth_matched;
  Bits* truth_ignored;
  // Or null: of each area range and threshold, the truth that each detection takes, -1 for none.
  int32_t* takes;
};

// Bits: uint8_t, uint16_t, uint32_t or uint64_t, wide enough for the thresholds.
template <class Bits>
void match_detections(const GroupOrder& order, const DetectionColumns& detections,
                      const TruthColumns& truths, const Overlaps& overlaps, const MatchRule& rule,
                      int threads, const MatchTable<Bits>& table);

}  // namespace benchsuite

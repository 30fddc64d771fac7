// Precision and recall of a match table; columns/precision_recall.py describes them.
#pragma once

#include <cstdint>
#include <vector>

#include "match_order.hpp"

namespace benchsuite {

// Rows of a match table in the order that they are counted in; as MatchOrder, without owning it.
struct OrderedRows {
  int64_t categories;
  const int64_t *detection_starts, *detections;  // categories + 1; rows
  const int64_t *truth_starts, *truths;
};

// Bit t of a row stands for IoU threshold t; one pointer an area range.
template <class Bits>
struct MatchBits {
  std::vector<const Bits*> matched, ignored;
};

struct CurveAxes {
  int thresholds;
  std::vector<double> recalls;
  std::vector<int32_t> max_detections;
};

// How often each image counts; ids ascend, and an image that is not among them does not count.
struct ImageWeights {
  int64_t images;
  const int64_t* ids;
  const double* weights;

  double of(int64_t image) const;
  // Whether all are whole numbers, and the sums over so many rows exact in any order.
  bool are_whole(int64_t rows) const;
};

// Arrays of (thresholds, recalls, categories, areas, max_detections), recall without `recalls`;
// all of it is written.
struct CurveArrays {
  double *precision, *recall, *scores;
};

// `weights` may be null: every image counts once.
template <class Bits>
void precision_recall(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
                      const CurveAxes& axes, const ImageWeights* weights, const CurveArrays& out,
                      int threads);

}  // namespace benchsuite

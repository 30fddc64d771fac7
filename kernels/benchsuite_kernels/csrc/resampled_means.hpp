// Mean precisions and recalls of a match table under many weightings of its images;
// columns/resampled_means.py describes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "precision_recall.hpp"

namespace benchsuite {

// One mean: over recalls (unless `of_recall`), categories, and thresholds where that is -1.
struct CurveMean {
  bool of_recall;
  size_t area, number;  // which area range and which of the numbers of detections
  int threshold;
  const uint8_t* categories;  // which count; null: all
};

// `weights`: replicates x images; `means`: replicates x values, -1 where there is nothing to find.
template <class Bits>
void resampled_means(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
                     const CurveAxes& axes, const std::vector<CurveMean>& values,
                     const int64_t* images, int64_t image_count, const double* weights,
                     int64_t replicates, double* means, int threads);

}  // namespace benchsuite

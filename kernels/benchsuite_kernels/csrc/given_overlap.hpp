// Overlaps that were computed elsewhere, pair by pair.
#pragma once

#include "overlaps.hpp"

namespace benchsuite {

// The pairs of detection i are starts[i] to starts[i + 1], their truths (rows) ascending; a pair
// that is not there overlaps by 0.
class GivenOverlaps : public Overlaps {
 public:
  GivenOverlaps(const int64_t* starts, const int64_t* pair_truths, const double* values,
                int64_t detection_count, int64_t truth_count)
      : starts_(starts),
        pair_truths_(pair_truths),
        values_(values),
        detection_count_(detection_count),
        truth_count_(truth_count) {}

  int64_t detections() const override { return detection_count_; }
  int64_t truths() const override { return truth_count_; }

  // Its views throw std::invalid_argument at a pair of two groups.
  std::unique_ptr<GroupOverlaps> for_worker(const bool* crowd, double least) const override;

 private:
  const int64_t* starts_;
  const int64_t* pair_truths_;
  const double* values_;
  int64_t detection_count_, truth_count_;
};

}  // namespace benchsuite

// IoU of boxes, as pycocotools' bbIou.
#pragma once

#include "overlaps.hpp"

namespace benchsuite {

// Boxes are rows of x, y, width, height.
class BoxOverlaps : public Overlaps {
 public:
  BoxOverlaps(const double* detections, int64_t detection_count, const double* truths,
              int64_t truth_count)
      : detections_(detections),
        truths_(truths),
        detection_count_(detection_count),
        truth_count_(truth_count) {}

  int64_t detections() const override { return detection_count_; }
  int64_t truths() const override { return truth_count_; }
  std::unique_ptr<GroupOverlaps> for_worker(const bool* crowd, double least) const override;

 private:
  const double* detections_;
  const double* truths_;
  int64_t detection_count_, truth_count_;
};

}  // namespace benchsuite

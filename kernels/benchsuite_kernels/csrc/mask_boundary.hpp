// Boundary IoU of masks: Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation
// Evaluation, 2021.
#pragma once

#include <cstdint>
#include <vector>

#include "mask_overlap.hpp"

namespace benchsuite {

// Pixels whose distance to the outside of their mask, or to that of the image, is at most this, in
// pixels along the longer axis: the ratio of the image's diagonal, rounded half to even, 1 at least.
int64_t boundary_width(int64_t height, int64_t width, double ratio);

// The pixels of a mask that lie at its boundary, as bits: a column of words for each image column
// from `left` to `right`, the first word's first bit being row 64 * first_word.
struct MaskBoundary {
  int64_t left = 0, right = 0;
  int64_t first_word = 0, words = 0;
  int64_t area = 0;
  std::vector<uint64_t> bits;

  void find(const DecodedMask& mask, double ratio);

 private:
  std::vector<uint64_t> shrunk_;  // what is left of the mask when its columns shrink
};

// IoU of the boundaries of two masks of images of one size.
double boundary_iou(const MaskBoundary& detection, const MaskBoundary& truth);

// The lesser of the IoU of masks and that of their boundaries; of a crowd, the former alone.
class BoundaryOverlaps : public Overlaps {
 public:
  BoundaryOverlaps(const MaskColumn& detections, const MaskColumn& truths, double ratio)
      : detections_(detections), truths_(truths), ratio_(ratio) {}

  int64_t detections() const override { return detections_.count; }
  int64_t truths() const override { return truths_.count; }

  std::unique_ptr<GroupOverlaps> for_worker(const bool* crowd, double least) const override;

 private:
  MaskColumn detections_, truths_;
  double ratio_;
};

}  // namespace benchsuite

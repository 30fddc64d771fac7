// IoU of masks, as pycocotools' rleIou.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "overlaps.hpp"

namespace benchsuite {

// Compressed RLEs in one buffer; row i is counts[offsets[i]] to counts[offsets[i + 1]].
struct MaskColumn {
  const uint8_t* counts;
  const int64_t* offsets;
  const int32_t* sizes;  // pairs of height and width
  int64_t count;

  std::string_view operator[](int64_t row) const {
    return {reinterpret_cast<const char*>(counts) + offsets[row],
            static_cast<size_t>(offsets[row + 1] - offsets[row])};
  }
  int64_t height(int64_t row) const { return sizes[2 * row]; }
  int64_t width(int64_t row) const { return sizes[2 * row + 1]; }
};

// A mask, decoded. Its pixels are counted column by column.
struct DecodedMask {
  std::vector<int64_t> runs;    // run lengths, background first
  std::vector<int64_t> bounds;  // starts and stops of the stretches of foreground, in turn
  int64_t height = 0, width = 0;
  int64_t area = 0;
  int64_t left = 0, top = 0, right = 0, bottom = 0;  // the box round it; right and bottom excluded
  bool regular = true;                               // no run but the first and last is empty

  // Throws std::invalid_argument on a malformed RLE.
  void decode(std::string_view counts, int64_t image_height, int64_t image_width);
};

// The IoU (of a crowd: over the detection's area); exact where it is not less than `least`, and
// else anything that is less.
double mask_iou(const DecodedMask& detection, const DecodedMask& truth, bool crowd, double least);

// A worker's view of the masks of a group, decoded as long as it is at hand.
class MaskGroup : public GroupOverlaps {
 public:
  MaskGroup(const MaskColumn& detections, const MaskColumn& truths, const bool* crowd, double least)
      : detections_(detections), truths_(truths), crowd_(crowd), least_(least) {}

  // These throw std::invalid_argument, which names the row, on a malformed RLE.
  void expect(const Rows& detections, const Rows& truths) override;
  void start(const Group& group) override;
  bool compare(int64_t rank, double* ious) override;

  // The one that was compared last.
  const DecodedMask& detection() const { return detection_; }
  const DecodedMask& truth(int64_t place) const { return decoded_[place]; }

 private:
  const MaskColumn& detections_;
  const MaskColumn& truths_;
  const bool* crowd_;
  double least_;
  Group group_{};
  std::vector<DecodedMask> decoded_;
  DecodedMask detection_;
};

class MaskOverlaps : public Overlaps {
 public:
  MaskOverlaps(const MaskColumn& detections, const MaskColumn& truths)
      : detections_(detections), truths_(truths) {}

  int64_t detections() const override { return detections_.count; }
  int64_t truths() const override { return truths_.count; }

  std::unique_ptr<GroupOverlaps> for_worker(const bool* crowd, double least) const override;

 private:
  MaskColumn detections_, truths_;
};

}  // namespace benchsuite

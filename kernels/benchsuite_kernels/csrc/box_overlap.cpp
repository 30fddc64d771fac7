#include "box_overlap.hpp"

#include <cmath>
#include <vector>

#include "clones.hpp"

namespace benchsuite {
namespace {

struct Corners {
  double left, top, right, bottom, area;

  explicit Corners(const double* box)
      : left(box[0]),
        top(box[1]),
        right(box[2] + box[0]),
        bottom(box[3] + box[1]),
        area(box[2] * box[3]) {}

  bool ordered() const {
    return left == left && top == top && right == right && bottom == bottom;
  }
};

// Boxes of truths, a column each.
struct BoxColumns {
  std::vector<double> left, top, right, bottom, area;
  std::vector<double> crowd;  // 1 or 0
};

// Every corner is a number (or infinite). Returns whether any IoU is not less than `least`.
BENCHSUITE_CLONES
bool compare_ordered(const Corners& box, const double* BENCHSUITE_RESTRICT left,
                     const double* BENCHSUITE_RESTRICT top,
                     const double* BENCHSUITE_RESTRICT right,
                     const double* BENCHSUITE_RESTRICT bottom,
                     const double* BENCHSUITE_RESTRICT area,
                     const double* BENCHSUITE_RESTRICT crowd, int64_t count, double least,
                     double* BENCHSUITE_RESTRICT ious) {
  int64_t counting = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double width =
        (box.right < right[i] ? box.right : right[i]) - (box.left > left[i] ? box.left : left[i]);
    const double height = (box.bottom < bottom[i] ? box.bottom : bottom[i]) -
                          (box.top > top[i] ? box.top : top[i]);
    const double common = width * height;
    const double both = box.area + area[i] - common;
    const double iou = common / (crowd[i] != 0 ? box.area : both);
    const double value = (width <= 0) | (height <= 0) ? 0.0 : iou;
    ious[i] = value;
    counting += !(value < least);
  }
  return counting > 0;
}

// fmin and fmax take the other number where one is not a number.
double iou_of_any(const Corners& box, const BoxColumns& truths, int64_t i) {
  const double width = std::fmin(box.right, truths.right[i]) - std::fmax(box.left, truths.left[i]);
  if (width <= 0) return 0;
  const double height =
      std::fmin(box.bottom, truths.bottom[i]) - std::fmax(box.top, truths.top[i]);
  if (height <= 0) return 0;
  const double common = width * height;
  return common / (truths.crowd[i] != 0 ? box.area : box.area + truths.area[i] - common);
}

class BoxGroup : public GroupOverlaps {
 public:
  BoxGroup(const double* detections, const double* truths, const bool* crowd, double least)
      : detections_(detections), truths_(truths), crowd_(crowd), least_(least) {}

  void start(const int32_t* truths, int64_t count) override {
    count_ = count;
    ordered_ = true;
    for (auto* column : {&columns_.left, &columns_.top, &columns_.right, &columns_.bottom,
                         &columns_.area, &columns_.crowd})
      if (column->size() < static_cast<size_t>(count)) column->resize(count);
    for (int64_t i = 0; i < count; ++i) {
      const Corners box(truths_ + 4 * int64_t{truths[i]});
      columns_.left[i] = box.left;
      columns_.top[i] = box.top;
      columns_.right[i] = box.right;
      columns_.bottom[i] = box.bottom;
      columns_.area[i] = box.area;
      columns_.crowd[i] = crowd_[truths[i]];
      ordered_ = ordered_ && box.ordered();
    }
  }

  bool compare(int32_t detection, double* ious) override {
    const Corners box(detections_ + 4 * int64_t{detection});
    if (ordered_ && box.ordered())
      return compare_ordered(box, columns_.left.data(), columns_.top.data(), columns_.right.data(),
                             columns_.bottom.data(), columns_.area.data(), columns_.crowd.data(),
                             count_, least_, ious);
    bool counting = false;
    for (int64_t i = 0; i < count_; ++i) {
      ious[i] = iou_of_any(box, columns_, i);
      counting = counting || !(ious[i] < least_);
    }
    return counting;
  }

 private:
  const double* detections_;
  const double* truths_;
  const bool* crowd_;
  double least_;
  int64_t count_ = 0;
  bool ordered_ = true;
  BoxColumns columns_;
};

}  // namespace

std::unique_ptr<GroupOverlaps> BoxOverlaps::for_worker(const bool* crowd, double least) const {
  return std::make_unique<BoxGroup>(detections_, truths_, crowd, least);
}

}  // namespace benchsuite

#include "box_overlap.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "clones.hpp"
#include "prefetch.hpp"

namespace benchsuite {
namespace {

struct Corners {
  double left = 0, top = 0, right = 0, bottom = 0, area = 0;

  Corners() = default;
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

// Boxes of truths, a column each, filled up to whole lanes with boxes that meet no other.
struct BoxColumns {
  std::vector<double> left, top, right, bottom, area;
  std::vector<double> crowd;  // 1 or 0

  void resize(size_t count) {
    for (auto* column : {&left, &top, &right, &bottom, &area, &crowd}) column->resize(count);
  }
  void set(int64_t i, const Corners& box, bool is_crowd) {
    left[i] = box.left;
    top[i] = box.top;
    right[i] = box.right;
    bottom[i] = box.bottom;
    area[i] = box.area;
    crowd[i] = is_crowd;
  }
};

// Every corner is a number (or infinite). Returns whether any IoU is not less than `least`.
BENCHSUITE_CLONES
bool compare_ordered(const Corners& box, const double* BENCHSUITE_RESTRICT left,
                     const double* BENCHSUITE_RESTRICT top,
                     const double* BENCHSUITE_RESTRICT right,
                     const double* BENCHSUITE_RESTRICT bottom,
                     const double* BENCHSUITE_RESTRICT area,
                     const double* BENCHSUITE_RESTRICT crowd, int64_t room, double least,
                     double* BENCHSUITE_RESTRICT ious) {
  constexpr int64_t kLanes = GroupOverlaps::kLanes;
  int64_t counting[kLanes] = {};
  for (int64_t block = 0; block < room; block += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const int64_t i = block + lane;
      const double width = (box.right < right[i] ? box.right : right[i]) -
                           (box.left > left[i] ? box.left : left[i]);
      const double height = (box.bottom < bottom[i] ? box.bottom : bottom[i]) -
                            (box.top > top[i] ? box.top : top[i]);
      const double common = width * height;
      const double both = box.area + area[i] - common;
      const double iou = common / (crowd[i] != 0 ? box.area : both);
      const double value = (width <= 0) | (height <= 0) ? 0.0 : iou;
      ious[i] = value;
      counting[lane] |= !(value < least);
    }
  int64_t any = 0;
  for (const int64_t each : counting) any |= each;
  return any != 0;
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

  void expect(const Rows& detections, const Rows& truths) override {
    for (const int64_t row : detections) prefetch(detections_ + 4 * row);
    for (const int64_t row : truths) prefetch(truths_ + 4 * row);
  }

  void start(const Group& group) override {
    count_ = group.truth_count;
    ordered_ = true;
    if (columns_.left.size() < static_cast<size_t>(room(count_))) columns_.resize(room(count_));
    for (int64_t i = 0; i < count_; ++i) {
      const int32_t row = group.truths[i];
      const Corners box(truths_ + 4 * int64_t{row});
      columns_.set(i, box, crowd_[row]);
      ordered_ = ordered_ && box.ordered();
    }
    constexpr double kFar = std::numeric_limits<double>::infinity();
    for (int64_t i = count_; i < room(count_); ++i) {
      columns_.set(i, Corners(), false);
      columns_.left[i] = columns_.top[i] = kFar;
      columns_.right[i] = columns_.bottom[i] = -kFar;
    }
    boxes_.resize(group.detection_count);
    for (int64_t i = 0; i < group.detection_count; ++i)
      boxes_[i] = Corners(detections_ + 4 * int64_t{group.detections[i]});
  }

  bool compare(int64_t rank, double* ious) override {
    const Corners& box = boxes_[rank];
    if (ordered_ && box.ordered())
      return compare_ordered(box, columns_.left.data(), columns_.top.data(), columns_.right.data(),
                             columns_.bottom.data(), columns_.area.data(), columns_.crowd.data(),
                             room(count_), least_, ious);
    for (int64_t i = 0; i < count_; ++i) ious[i] = iou_of_any(box, columns_, i);
    return true;
  }

 private:
  const double* detections_;
  const double* truths_;
  const bool* crowd_;
  double least_;
  int64_t count_ = 0;
  bool ordered_ = true;
  std::vector<Corners> boxes_;
  BoxColumns columns_;
};

}  // namespace

std::unique_ptr<GroupOverlaps> BoxOverlaps::for_worker(const bool* crowd, double least) const {
  return std::make_unique<BoxGroup>(detections_, truths_, crowd, least);
}

}  // namespace benchsuite

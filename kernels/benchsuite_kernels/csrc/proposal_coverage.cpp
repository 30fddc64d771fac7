#include "proposal_coverage.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "clones.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

// A truth's IoU with each box, which are given as columns.
BENCHSUITE_CLONES
void ious_with(const float* truth, const float* BENCHSUITE_RESTRICT left,
               const float* BENCHSUITE_RESTRICT top, const float* BENCHSUITE_RESTRICT right,
               const float* BENCHSUITE_RESTRICT bottom, const float* BENCHSUITE_RESTRICT areas,
               int64_t count, float* BENCHSUITE_RESTRICT ious) {
  const float truth_left = truth[0], truth_top = truth[1], truth_right = truth[2],
              truth_bottom = truth[3];
  const float truth_area = (truth_right - truth_left) * (truth_bottom - truth_top);
  for (int64_t i = 0; i < count; ++i) {
    const float width = std::min(right[i], truth_right) - std::max(left[i], truth_left);
    const float height = std::min(bottom[i], truth_bottom) - std::max(top[i], truth_top);
    const float common = (width > 0 ? width : 0) * (height > 0 ? height : 0);
    const float iou = common / (areas[i] + truth_area - common);
    ious[i] = common > 0 ? iou : 0;
  }
}

// Covers the truths of one image after the other; one a worker.
class Coverer {
 public:
  explicit Coverer(const ProposalColumns& columns) : columns_(columns) {}

  void start(const Group& group) {
    group_ = group;
    const int64_t count = group.detection_count;
    for (auto* column : {&left_, &top_, &right_, &bottom_, &areas_}) column->resize(count);
    for (int64_t i = 0; i < count; ++i) {
      const float* const box = columns_.boxes + 4 * int64_t{group.detections[i]};
      left_[i] = box[0];
      top_[i] = box[1];
      right_[i] = box[2];
      bottom_[i] = box[3];
      areas_[i] = (box[2] - box[0]) * (box[3] - box[1]);
    }
    ious_.resize(count * group.truth_count);
    for (int64_t t = 0; t < group.truth_count; ++t)
      ious_with(columns_.truth_boxes + 4 * int64_t{group.truths[t]}, left_.data(), top_.data(),
                right_.data(), bottom_.data(), areas_.data(), count, ious_.data() + t * count);
  }

  // `coverage`: one a truth (row), of those in the subset that are covered.
  void cover(int64_t limit, const bool* counted, float* coverage) {
    const int64_t proposals = std::min(limit, group_.detection_count);
    open_.clear();
    for (int64_t t = 0; t < group_.truth_count; ++t) {
      if (!counted[group_.truths[t]]) continue;
      coverage[group_.truths[t]] = 0;
      open_.push_back({t, 0, 0});
    }
    used_.assign(static_cast<size_t>(proposals), 0);
    for (Open& each : open_) find_best(each, proposals);
    for (int64_t left = std::min<int64_t>(proposals, open_.size()); left > 0; --left) {
      // The first of those that are covered best, by the first of those that cover it best.
      auto best = open_.begin();
      for (auto each = open_.begin(); each != open_.end(); ++each)
        if (each->iou > best->iou) best = each;
      const int64_t proposal = best->proposal;
      coverage[group_.truths[best->truth]] = best->iou;
      used_[proposal] = 1;
      open_.erase(best);
      for (Open& each : open_)
        if (each.proposal == proposal) find_best(each, proposals);
    }
  }

 private:
  // A truth that no proposal is taken for yet, and the one that covers it best of those left.
  struct Open {
    int64_t truth, proposal;
    float iou;
  };

  void find_best(Open& open, int64_t proposals) const {
    const float* const ious = ious_.data() + open.truth * group_.detection_count;
    open.iou = -1;
    for (int64_t i = 0; i < proposals; ++i)
      if (!used_[i] && ious[i] > open.iou) {
        open.iou = ious[i];
        open.proposal = i;
      }
  }

  const ProposalColumns& columns_;
  Group group_{};
  std::vector<float> left_, top_, right_, bottom_, areas_, ious_;
  std::vector<Open> open_;
  std::vector<uint8_t> used_;
};

}  // namespace

void proposal_coverage(const GroupOrder& order, const ProposalColumns& columns,
                       const int64_t* limits, int64_t limit_count, int threads, float* coverage) {
  std::fill(coverage, coverage + limit_count * columns.subsets * columns.truths,
            std::numeric_limits<float>::quiet_NaN());
  std::vector<Coverer> workers(std::max(threads, 1), Coverer(columns));
  for_each_item(order.buckets(), 1, threads, [&](int64_t bucket, int worker) {
    order.for_each_group(bucket, [&](const Group& group) {
      if (group.truth_count == 0) return;
      workers[worker].start(group);
      for (int64_t limit = 0; limit < limit_count; ++limit)
        for (int64_t subset = 0; subset < columns.subsets; ++subset)
          workers[worker].cover(
              limits[limit], columns.counted + subset * columns.truths,
              coverage + (limit * columns.subsets + subset) * columns.truths);
    });
  });
}

}  // namespace benchsuite

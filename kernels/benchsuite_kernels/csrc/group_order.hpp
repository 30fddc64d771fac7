// Detections and truths brought together by the group (image and category) they belong to.
//
// A stable counting sort in two steps. The range of group numbers is cut into buckets of
// neighbouring numbers, rows are dealt into them in parallel slices, and then each bucket, which
// fits the cache, is sorted by itself. Whatever the number of threads, the order is the same.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

// One side's rows, bucket by bucket.
struct BucketedRows {
  std::vector<int32_t> rows;
  std::vector<int64_t> starts;  // of each bucket, and the end of the last
};

// The rows of one group: detections by descending score (NaN last, the earlier row first among
// equals), as many as count; truths by row.
struct Group {
  int64_t place;  // of its first detection among all that count
  const int32_t* detections;
  int64_t detection_count;
  const int32_t* truths;
  int64_t truth_count;
};

class GroupOrder {
 public:
  // Throws std::length_error where there are more rows than 31 bits count.
  GroupOrder(const int64_t* detection_groups, const double* scores, int64_t detections,
             const int64_t* truth_groups, int64_t truths, int64_t most_detections, int threads);

  int64_t counted() const { return places_.back(); }
  int64_t buckets() const { return buckets_; }

  // Calls visit(group) for each group of a bucket that has detections, by ascending number.
  template <class Visit>
  void for_each_group(int64_t bucket, const Visit& visit) const {
    const int32_t* detection = detections_.rows.data() + detections_.starts[bucket];
    const int32_t* const last_detection = detections_.rows.data() + detections_.starts[bucket + 1];
    const int32_t* truth = truths_.rows.data() + truths_.starts[bucket];
    const int32_t* const last_truth = truths_.rows.data() + truths_.starts[bucket + 1];
    Group group{places_[bucket], nullptr, 0, nullptr, 0};
    while (detection != last_detection) {
      const int64_t number = detection_groups_[*detection];
      group.detections = detection;
      while (detection != last_detection && detection_groups_[*detection] == number) ++detection;
      group.detection_count = counting(detection - group.detections);
      while (truth != last_truth && truth_groups_[*truth] < number) ++truth;
      group.truths = truth;
      while (truth != last_truth && truth_groups_[*truth] == number) ++truth;
      group.truth_count = truth - group.truths;
      visit(static_cast<const Group&>(group));
      group.place += group.detection_count;
    }
  }

 private:
  int64_t counting(int64_t detections) const {
    return detections < most_detections_ ? detections : most_detections_;
  }
  BucketedRows deal(const int64_t* groups, int64_t count, int threads) const;

  const int64_t* detection_groups_;
  const int64_t* truth_groups_;
  int64_t most_detections_;
  uint64_t least_ = 0;
  int shift_ = 0;
  int64_t buckets_ = 1;
  BucketedRows detections_, truths_;
  std::vector<int64_t> places_;  // of each bucket among the detections that count, and their number
};

}  // namespace benchsuite

// Detections and truths brought together by the group (image and category) they belong to.
//
// A stable counting sort in two steps. The range of group numbers is cut into buckets of
// neighbouring numbers, rows are dealt into them in parallel slices, and then each bucket, which
// fits the cache, is sorted by itself. Whatever the number of threads, the order is the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace benchsuite {

struct Rows {
  const int32_t* first;
  int64_t count;

  const int32_t* begin() const { return first; }
  const int32_t* end() const { return first + count; }
};

// One side's rows, bucket by bucket.
struct BucketedRows {
  static constexpr uint8_t kBegins = 1;  // the row is the first of its group
  static constexpr uint8_t kShared = 2;  // and the other side has rows of the group

  std::vector<int32_t> rows;
  std::vector<uint8_t> marks;   // of each row, see below
  std::vector<int64_t> starts;  // of each bucket, and the end of the last

  Rows of(int64_t bucket) const {
    return {rows.data() + starts[bucket], starts[bucket + 1] - starts[bucket]};
  }

  // Where the group after that of row `place` begins, or the bucket ends.
  int64_t next_group(int64_t place, int64_t last) const {
    do ++place;
    while (place < last && !marks[place]);
    return place;
  }
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

  // All rows of a bucket, also those of which none counts.
  Rows detections_of(int64_t bucket) const { return detections_.of(bucket); }
  Rows truths_of(int64_t bucket) const { return truths_.of(bucket); }

  // Calls visit(group) for each group of a bucket that has detections, by ascending number.
  template <class Visit>
  void for_each_group(int64_t bucket, const Visit& visit) const {
    int64_t detection = detections_.starts[bucket], truth = truths_.starts[bucket];
    const int64_t last_detection = detections_.starts[bucket + 1];
    const int64_t last_truth = truths_.starts[bucket + 1];
    Group group{places_[bucket], nullptr, 0, nullptr, 0};
    while (detection < last_detection) {
      group.detections = detections_.rows.data() + detection;
      const int64_t next = detections_.next_group(detection, last_detection);
      group.detection_count = std::min(next - detection, most_detections_);
      group.truths = nullptr;
      group.truth_count = 0;
      if (detections_.marks[detection] & BucketedRows::kShared) {
        while (!(truths_.marks[truth] & BucketedRows::kShared)) ++truth;
        group.truths = truths_.rows.data() + truth;
        const int64_t after = truths_.next_group(truth, last_truth);
        group.truth_count = after - truth;
        truth = after;
      }
      visit(static_cast<const Group&>(group));
      group.place += group.detection_count;
      detection = next;
    }
  }

 private:
  BucketedRows deal(const int64_t* groups, int64_t count, int threads) const;

  int64_t most_detections_;
  uint64_t least_ = 0;
  int shift_ = 0;
  int64_t buckets_ = 1;
  BucketedRows detections_, truths_;
  std::vector<int64_t> places_;  // of each bucket among the detections that count, and their number
};

}  // namespace benchsuite

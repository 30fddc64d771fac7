#include "group_order.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kRowsPerBucket = 256;
constexpr int64_t kMostBuckets = 8192;
constexpr int64_t kRowsPerSlice = 16384;
constexpr int64_t kBucketsPerWorker = 8;
constexpr int64_t kShortGroup = 24;

// A number that ascends as scores descend. Zeros are equal whatever their sign, NaN comes last.
uint64_t descending(double score) {
  if (score != score) return std::numeric_limits<uint64_t>::max();
  score += 0.0;
  uint64_t bits;
  std::memcpy(&bits, &score, sizeof bits);
  const uint64_t ascending = bits >> 63 ? ~bits : bits | uint64_t{1} << 63;
  return ~ascending;
}

struct Entry {
  uint64_t group;  // above the least that its bucket may hold
  uint64_t score;
  int32_t row;

  bool operator<(const Entry& other) const {
    if (group != other.group) return group < other.group;
    if (score != other.score) return score < other.score;
    return row < other.row;
  }
};

// Sorts rows of one bucket; one a worker, for the memory it keeps.
class BucketSorter {
 public:
  BucketSorter(const int64_t* groups, const double* scores, int shift)
      : groups_(groups), scores_(scores), shift_(shift) {}

  // Sorts a bucket of which `least` is the least group number that it may hold, and tells which
  // rows are the first of their groups.
  void sort(BucketedRows& side, int64_t bucket, uint64_t least) {
    const int64_t count = side.starts[bucket + 1] - side.starts[bucket];
    int32_t* const rows = side.rows.data() + side.starts[bucket];
    uint8_t* const marks = side.marks.data() + side.starts[bucket];
    entries_.resize(static_cast<size_t>(count));
    if (shift_ <= 20 && (int64_t{1} << shift_) <= 4 * count + 1024)
      by_counting(rows, count, least);
    else
      by_comparing(rows, count, least);
    for (int64_t i = 0; i < count; ++i) {
      rows[i] = entries_[i].row;
      marks[i] = i == 0 || entries_[i].group != entries_[i - 1].group ? BucketedRows::kBegins : 0;
    }
  }

  // Marks the groups that both of two sorted buckets have.
  static void mark_shared(const BucketSorter& one, uint8_t* marks, const BucketSorter& other,
                          uint8_t* other_marks) {
    size_t i = 0, j = 0;
    while (i < one.entries_.size() && j < other.entries_.size()) {
      const uint64_t group = one.entries_[i].group, other_group = other.entries_[j].group;
      if (group == other_group) {
        marks[i] |= BucketedRows::kShared;
        other_marks[j] |= BucketedRows::kShared;
      }
      if (group <= other_group)
        do ++i;
        while (i < one.entries_.size() && one.entries_[i].group == group);
      if (other_group <= group)
        do ++j;
        while (j < other.entries_.size() && other.entries_[j].group == other_group);
    }
  }

 private:
  void by_counting(const int32_t* rows, int64_t count, uint64_t least) {
    ends_.assign((size_t{1} << shift_) + 1, 0);
    offsets_.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      const auto offset = static_cast<uint32_t>(static_cast<uint64_t>(groups_[rows[i]]) - least);
      offsets_[i] = offset;
      ++ends_[offset + 1];
    }
    for (size_t i = 1; i < ends_.size(); ++i) ends_[i] += ends_[i - 1];
    for (int64_t i = 0; i < count; ++i) {
      Entry& entry = entries_[ends_[offsets_[i]]++];
      entry = {offsets_[i], scores_ ? descending(scores_[rows[i]]) : 0, rows[i]};
    }
    if (scores_)
      for (int64_t start = 0, stop; start < count; start = stop) {
        stop = ends_[entries_[start].group];
        sort_group(entries_.data() + start, entries_.data() + stop);
      }
  }

  void by_comparing(const int32_t* rows, int64_t count, uint64_t least) {
    for (int64_t i = 0; i < count; ++i)
      entries_[i] = {static_cast<uint64_t>(groups_[rows[i]]) - least,
                     scores_ ? descending(scores_[rows[i]]) : 0, rows[i]};
    std::sort(entries_.begin(), entries_.end());
  }

  // Detectors mostly give their detections by descending score, so that little is out of place.
  static void sort_group(Entry* first, Entry* last) {
    if (last - first > kShortGroup) {
      if (!std::is_sorted(first, last)) std::sort(first, last);
      return;
    }
    for (Entry* next = first + 1; next < last; ++next) {
      const Entry entry = *next;
      Entry* hole = next;
      for (; hole > first && entry.score < hole[-1].score; --hole) *hole = hole[-1];
      *hole = entry;
    }
  }

  const int64_t* groups_;
  const double* scores_;
  int shift_;
  std::vector<int32_t> ends_;
  std::vector<uint32_t> offsets_;
  std::vector<Entry> entries_;
};

}  // namespace

GroupOrder::GroupOrder(const int64_t* detection_groups, const double* scores, int64_t detections,
                       const int64_t* truth_groups, int64_t truths, int64_t most_detections,
                       int threads)
    : most_detections_(most_detections) {
  constexpr int64_t kMostRows = std::numeric_limits<int32_t>::max();
  if (detections > kMostRows || truths > kMostRows)
    throw std::length_error("more detections or truths than 2**31 - 1; match them in parts");
  int64_t least = std::numeric_limits<int64_t>::max(), greatest = std::numeric_limits<int64_t>::min();
  for (int64_t i = 0; i < detections; ++i) {
    least = std::min(least, detection_groups[i]);
    greatest = std::max(greatest, detection_groups[i]);
  }
  // Groups without detections matter to nobody: their truths are left out.
  if (detections > 0) {
    least_ = static_cast<uint64_t>(least);
    const uint64_t range = static_cast<uint64_t>(greatest) - least_;
    const auto wanted = static_cast<uint64_t>(
        std::min(kMostBuckets, (detections + truths) / kRowsPerBucket + 1));
    while (shift_ < 63 && (range >> shift_) >= wanted) ++shift_;
    buckets_ = static_cast<int64_t>(range >> shift_) + 1;
  }
  detections_ = deal(detection_groups, detections, threads);
  truths_ = deal(truth_groups, truths, threads);

  places_.assign(buckets_ + 1, 0);
  const int workers = std::max(threads, 1);
  std::vector<BucketSorter> detection_sorters(
      workers, BucketSorter(detection_groups, scores, shift_));
  std::vector<BucketSorter> truth_sorters(workers, BucketSorter(truth_groups, nullptr, shift_));
  for_each_item(buckets_, kBucketsPerWorker, threads, [&](int64_t bucket, int worker) {
    const uint64_t first = least_ + (static_cast<uint64_t>(bucket) << shift_);
    detection_sorters[worker].sort(detections_, bucket, first);
    truth_sorters[worker].sort(truths_, bucket, first);
    BucketSorter::mark_shared(
        detection_sorters[worker], detections_.marks.data() + detections_.starts[bucket],
        truth_sorters[worker], truths_.marks.data() + truths_.starts[bucket]);
    const int64_t start = detections_.starts[bucket], stop = detections_.starts[bucket + 1];
    int64_t counted = stop - start;
    if (counted > most_detections_) {
      counted = 0;
      for (int64_t row = start, rank = 0; row < stop; ++row) {
        rank = detections_.marks[row] ? 0 : rank + 1;
        counted += rank < most_detections_;
      }
    }
    places_[bucket + 1] = counted;
  });
  for (int64_t bucket = 0; bucket < buckets_; ++bucket) places_[bucket + 1] += places_[bucket];
}

// Rows outside of all buckets are left out.
BucketedRows GroupOrder::deal(const int64_t* groups, int64_t count, int threads) const {
  const int64_t slices =
      std::max<int64_t>(1, std::min<int64_t>(std::max(threads, 1), count / kRowsPerSlice));
  const auto slice_start = [&](int64_t slice) { return count * slice / slices; };
  const auto bucket_if_any = [&](int64_t row) {
    const uint64_t bucket = (static_cast<uint64_t>(groups[row]) - least_) >> shift_;
    // A number below the least wraps to one above the greatest.
    return bucket < static_cast<uint64_t>(buckets_) ? static_cast<int64_t>(bucket) : int64_t{-1};
  };
  std::vector<int64_t> cursors(static_cast<size_t>(slices * buckets_), 0);
  for_each_item(slices, 1, threads, [&](int64_t slice, int) {
    int64_t* const counts = cursors.data() + slice * buckets_;
    for (int64_t row = slice_start(slice); row < slice_start(slice + 1); ++row)
      if (const int64_t bucket = bucket_if_any(row); bucket >= 0) ++counts[bucket];
  });
  BucketedRows dealt;
  dealt.starts.resize(buckets_ + 1);
  int64_t place = 0;
  for (int64_t bucket = 0; bucket < buckets_; ++bucket) {
    dealt.starts[bucket] = place;
    for (int64_t slice = 0; slice < slices; ++slice) {
      int64_t& cursor = cursors[slice * buckets_ + bucket];
      const int64_t here = cursor;
      cursor = place;
      place += here;
    }
  }
  dealt.starts[buckets_] = place;
  dealt.rows.resize(place);
  dealt.marks.resize(place);
  for_each_item(slices, 1, threads, [&](int64_t slice, int) {
    int64_t* const next = cursors.data() + slice * buckets_;
    for (int64_t row = slice_start(slice); row < slice_start(slice + 1); ++row)
      if (const int64_t bucket = bucket_if_any(row); bucket >= 0)
        dealt.rows[next[bucket]++] = static_cast<int32_t>(row);
  });
  return dealt;
}

}  // namespace benchsuite

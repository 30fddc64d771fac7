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
  uint64_t group;
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

  // `first`: the least group number that the bucket may hold.
  void sort(int32_t* rows, int64_t count, uint64_t first) {
    if (count < 2) return;
    if (shift_ <= 20 && (int64_t{1} << shift_) <= 4 * count + 1024)
      by_counting(rows, count, first);
    else
      by_comparing(rows, count);
  }

 private:
  void by_counting(int32_t* rows, int64_t count, uint64_t first) {
    ends_.assign((size_t{1} << shift_) + 1, 0);
    entries_.resize(static_cast<size_t>(count));
    offsets_.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      const auto offset = static_cast<uint32_t>(static_cast<uint64_t>(groups_[rows[i]]) - first);
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
    for (int64_t i = 0; i < count; ++i) rows[i] = entries_[i].row;
  }

  void by_comparing(int32_t* rows, int64_t count) {
    entries_.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i)
      // Signed numbers, made to ascend as unsigned ones.
      entries_[i] = {static_cast<uint64_t>(groups_[rows[i]]) ^ uint64_t{1} << 63,
                     scores_ ? descending(scores_[rows[i]]) : 0, rows[i]};
    std::sort(entries_.begin(), entries_.end());
    for (int64_t i = 0; i < count; ++i) rows[i] = entries_[i].row;
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
    : detection_groups_(detection_groups),
      truth_groups_(truth_groups),
      most_detections_(most_detections) {
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
    int32_t* const rows = detections_.rows.data() + detections_.starts[bucket];
    const int64_t count = detections_.starts[bucket + 1] - detections_.starts[bucket];
    detection_sorters[worker].sort(rows, count, first);
    truth_sorters[worker].sort(truths_.rows.data() + truths_.starts[bucket],
                               truths_.starts[bucket + 1] - truths_.starts[bucket], first);
    int64_t counted = count;
    if (count > most_detections_) {
      counted = 0;
      for (int64_t i = 0, start = 0; i < count; ++i) {
        if (detection_groups[rows[i]] != detection_groups[rows[start]]) start = i;
        counted += i - start < most_detections_;
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
  for_each_item(slices, 1, threads, [&](int64_t slice, int) {
    int64_t* const next = cursors.data() + slice * buckets_;
    for (int64_t row = slice_start(slice); row < slice_start(slice + 1); ++row)
      if (const int64_t bucket = bucket_if_any(row); bucket >= 0)
        dealt.rows[next[bucket]++] = static_cast<int32_t>(row);
  });
  return dealt;
}

}  // namespace benchsuite

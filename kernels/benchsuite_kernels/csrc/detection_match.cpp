#include "detection_match.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr double kNearlyOne = 1 - 1e-10;
constexpr int64_t kBucketsPerWorker = 8;
constexpr int64_t kTruthsPerItem = 16384;

bool outside(double area, const double* range) { return area < range[0] || area > range[1]; }

// A truth that a detection overlaps enough at one threshold at least.
struct Candidate {
  double overlap;
  int64_t place;   // among the group's truths
  uint64_t reached;  // thresholds
};

// Matches group by group; one a worker.
template <class Bits>
class Matcher {
 public:
  Matcher(const DetectionColumns& detections, const TruthColumns& truths, const MatchRule& rule,
          const std::vector<double>& least, std::unique_ptr<GroupOverlaps> overlaps,
          int64_t counted, const MatchTable<Bits>& table)
      : detections_(detections),
        truths_(truths),
        rule_(rule),
        least_(least),
        all_(~uint64_t{0} >> (64 - rule.threshold_count)),
        overlaps_(std::move(overlaps)),
        counted_(counted),
        table_(table) {}

  void match(const Group& group) {
    for (int64_t rank = 0; rank < group.detection_count; ++rank) {
      const int64_t place = group.place + rank;
      table_.order[place] = group.detections[rank];
      table_.ranks[place] = static_cast<int32_t>(rank);
      for (int64_t area = 0; area < rule_.area_count; ++area)
        write(area, place, group.detections[rank], 0, 0);
    }
    if (group.truth_count == 0) return;
    start(group);
    for (int64_t rank = 0; rank < group.detection_count; ++rank) {
      if (!overlaps_->compare(group.detections[rank], values_.data())) continue;
      const int64_t place = group.place + rank;
      if (find_candidates(group.truth_count))
        take_best(group, place, group.detections[rank]);
      else
        take_in_order(group, place, group.detections[rank]);
    }
    for (int64_t area = 0; area < rule_.area_count; ++area)
      for (int64_t i = 0; i < group.truth_count; ++i)
        table_.truth_matched[area * truths_.count + group.truths[i]] =
            static_cast<Bits>(taken_[area * group.truth_count + i]);
  }

 private:
  void start(const Group& group) {
    const auto count = static_cast<size_t>(group.truth_count);
    overlaps_->start(group.truths, group.truth_count);
    values_.resize(count);
    taken_.assign(count * rule_.area_count, 0);
    ignored_.resize(count * rule_.area_count);
    for (int64_t area = 0; area < rule_.area_count; ++area)
      for (int64_t i = 0; i < group.truth_count; ++i) {
        const int32_t row = group.truths[i];
        ignored_[area * group.truth_count + i] =
            truths_.ignored[row] || outside(truths_.areas[row], rule_.area_ranges + 2 * area);
      }
  }

  // Returns false where an overlap is not a number, which no order can be made of.
  bool find_candidates(int64_t truth_count) {
    candidates_.clear();
    for (int64_t i = 0; i < truth_count; ++i) {
      if (values_[i] != values_[i]) return false;
      uint64_t reached = 0;
      for (int64_t t = 0; t < rule_.threshold_count; ++t)
        reached |= static_cast<uint64_t>(values_[i] >= least_[t]) << t;
      if (reached) candidates_.push_back({values_[i], i, reached});
    }
    if (candidates_.size() > 1)
      std::sort(candidates_.begin(), candidates_.end(),
                [](const Candidate& one, const Candidate& other) {
                  if (one.overlap != other.overlap) return one.overlap > other.overlap;
                  return one.place > other.place;
                });
    return true;
  }

  // All thresholds at once: the best candidate takes those at which its truth is free, the next
  // best what is left, and so on; first among truths that are not ignored, then among the others.
  void take_best(const Group& group, int64_t place, int32_t detection) {
    for (int64_t area = 0; area < rule_.area_count; ++area) {
      uint64_t* const taken = taken_.data() + area * group.truth_count;
      const uint8_t* const ignored = ignored_.data() + area * group.truth_count;
      uint64_t done = 0, matched = 0, ignoring = 0;
      for (const bool among_ignored : {false, true})
        for (const Candidate& candidate : candidates_) {
          if (ignored[candidate.place] != among_ignored) continue;
          const int32_t truth = group.truths[candidate.place];
          uint64_t takes = candidate.reached & ~done;
          if (!truths_.crowd[truth]) takes &= ~taken[candidate.place];
          taken[candidate.place] |= takes;
          done |= takes;
          if (!loses_match(truth)) matched |= takes;
          if (among_ignored) ignoring |= takes;
        }
      write(area, place, detection, matched, ignoring);
    }
  }

  // Threshold by threshold, as COCOeval goes: an overlap that is not a number is less than none,
  // and none is less than it.
  void take_in_order(const Group& group, int64_t place, int32_t detection) {
    for (int64_t area = 0; area < rule_.area_count; ++area) {
      uint64_t* const taken = taken_.data() + area * group.truth_count;
      const uint8_t* const ignored = ignored_.data() + area * group.truth_count;
      uint64_t matched = 0, ignoring = 0;
      for (int64_t t = 0; t < rule_.threshold_count; ++t) {
        const uint64_t bit = uint64_t{1} << t;
        double best = least_[t];
        int64_t chosen = -1;
        for (const bool among_ignored : {false, true}) {
          if (chosen >= 0) break;
          for (int64_t i = 0; i < group.truth_count; ++i) {
            if (ignored[i] != among_ignored) continue;
            if ((taken[i] & bit) && !truths_.crowd[group.truths[i]]) continue;
            if (values_[i] < best) continue;
            best = values_[i];
            chosen = i;
          }
        }
        if (chosen < 0) continue;
        taken[chosen] |= bit;
        if (!loses_match(group.truths[chosen])) matched |= bit;
        if (ignored[chosen]) ignoring |= bit;
      }
      write(area, place, detection, matched, ignoring);
    }
  }

  bool loses_match(int32_t truth) const {
    return truths_.loses_match != nullptr && truths_.loses_match[truth];
  }

  void write(int64_t area, int64_t place, int32_t detection, uint64_t matched, uint64_t ignoring) {
    if (outside(detections_.areas[detection], rule_.area_ranges + 2 * area) ||
        (detections_.ignored_if_unmatched && detections_.ignored_if_unmatched[detection]))
      ignoring |= all_ & ~matched;
    table_.matched[area * counted_ + place] = static_cast<Bits>(matched);
    table_.ignored[area * counted_ + place] = static_cast<Bits>(ignoring);
  }

  const DetectionColumns& detections_;
  const TruthColumns& truths_;
  const MatchRule& rule_;
  const std::vector<double>& least_;
  uint64_t all_;
  std::unique_ptr<GroupOverlaps> overlaps_;
  int64_t counted_;
  MatchTable<Bits> table_;
  std::vector<double> values_;
  std::vector<Candidate> candidates_;
  std::vector<uint64_t> taken_;   // thresholds, by area range and truth
  std::vector<uint8_t> ignored_;  // by area range and truth
};

}  // namespace

template <class Bits>
void match_detections(const GroupOrder& order, const DetectionColumns& detections,
                      const TruthColumns& truths, const Overlaps& overlaps, const MatchRule& rule,
                      int threads, const MatchTable<Bits>& table) {
  const uint64_t all = ~uint64_t{0} >> (64 - rule.threshold_count);
  const int64_t slices = (truths.count + kTruthsPerItem - 1) / kTruthsPerItem;
  for_each_item(slices, 1, threads, [&](int64_t slice, int) {
    const int64_t stop = std::min(truths.count, (slice + 1) * kTruthsPerItem);
    for (int64_t area = 0; area < rule.area_count; ++area)
      for (int64_t row = slice * kTruthsPerItem; row < stop; ++row) {
        const bool ignored =
            truths.ignored[row] || outside(truths.areas[row], rule.area_ranges + 2 * area);
        table.truth_matched[area * truths.count + row] = 0;
        table.truth_ignored[area * truths.count + row] = static_cast<Bits>(ignored ? all : 0);
      }
  });

  std::vector<double> least(rule.thresholds, rule.thresholds + rule.threshold_count);
  for (double& threshold : least) threshold = std::min(threshold, kNearlyOne);
  const double least_of_all = *std::min_element(least.begin(), least.end());
  std::vector<std::unique_ptr<Matcher<Bits>>> matchers(std::max(threads, 1));
  for_each_item(order.buckets(), kBucketsPerWorker, threads, [&](int64_t bucket, int worker) {
    auto& matcher = matchers[worker];
    if (!matcher)
      matcher = std::make_unique<Matcher<Bits>>(detections, truths, rule, least,
                                                overlaps.for_worker(truths.crowd, least_of_all),
                                                order.counted(), table);
    order.for_each_group(bucket, [&](const Group& group) { matcher->match(group); });
  });
}

template void match_detections(const GroupOrder&, const DetectionColumns&, const TruthColumns&,
                               const Overlaps&, const MatchRule&, int, const MatchTable<uint8_t>&);
template void match_detections(const GroupOrder&, const DetectionColumns&, const TruthColumns&,
                               const Overlaps&, const MatchRule&, int, const MatchTable<uint16_t>&);
template void match_detections(const GroupOrder&, const DetectionColumns&, const TruthColumns&,
                               const Overlaps&, const MatchRule&, int, const MatchTable<uint32_t>&);
template void match_detections(const GroupOrder&, const DetectionColumns&, const TruthColumns&,
                               const Overlaps&, const MatchRule&, int, const MatchTable<uint64_t>&);

}  // namespace benchsuite

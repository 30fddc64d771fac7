#include "detection_match.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "parallel.hpp"
#include "prefetch.hpp"

namespace benchsuite {
namespace {

constexpr double kNearlyOne = 1 - 1e-10;
constexpr int64_t kBucketsPerWorker = 8;
constexpr int64_t kTruthsPerItem = 16384;

// Without branches, which areas would mislead the processor at.
bool outside(double area, const double* range) { return (area < range[0]) | (area > range[1]); }

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
        table_(table),
        matched_(rule.area_count),
        ignoring_(rule.area_count),
        done_(rule.area_count) {
    std::vector<int64_t> order(least.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](int64_t one, int64_t other) { return least[one] < least[other]; });
    reached_.push_back(0);
    for (const int64_t threshold : order) {
      ascending_.push_back(least[threshold]);
      reached_.push_back(reached_.back() | uint64_t{1} << threshold);
    }
  }

  void expect(const Rows& detections, const Rows& truths) {
    for (const int64_t row : detections) prefetch(detections_.areas + row);
    for (const int64_t row : truths) prefetch(truths_.areas + row);
    overlaps_->expect(detections, truths);
  }

  void match(const Group& group) {
    for (int64_t rank = 0; rank < group.detection_count; ++rank) {
      const int32_t row = group.detections[rank];
      table_.order[group.place + rank] = row;
      table_.ranks[group.place + rank] = static_cast<int32_t>(rank);
      const double area = detections_.areas[row];
      const bool excused = detections_.ignored_if_unmatched && detections_.ignored_if_unmatched[row];
      for (int64_t range = 0; range < rule_.area_count; ++range) {
        const bool ignored = outside(area, rule_.area_ranges + 2 * range) | excused;
        // All bits or none. What matches is written over below.
        table_.matched[range * counted_ + group.place + rank] = 0;
        table_.ignored[range * counted_ + group.place + rank] =
            static_cast<Bits>(all_if(ignored) & all_);
      }
      if (table_.takes)
        for (int64_t row = 0; row < rule_.area_count * rule_.threshold_count; ++row)
          table_.takes[row * counted_ + group.place + rank] = -1;
    }
    if (group.truth_count == 0) return;
    start(group);
    for (int64_t rank = 0; rank < group.detection_count; ++rank) {
      if (!overlaps_->compare(rank, values_.data())) continue;
      if (find_candidates(group.truth_count))
        take_best(group, group.place + rank);
      else
        take_in_order(group, group.place + rank);
    }
    for (int64_t range = 0; range < rule_.area_count; ++range)
      for (int64_t i = 0; i < group.truth_count; ++i)
        table_.truth_matched[range * truths_.count + group.truths[i]] =
            static_cast<Bits>(taken_[i * rule_.area_count + range]);
  }

 private:
  void start(const Group& group) {
    overlaps_->start(group);
    const auto count = static_cast<size_t>(group.truth_count);
    if (values_.size() < count) values_.resize(GroupOverlaps::room(group.truth_count));
    taken_.assign(count * rule_.area_count, 0);
    ignored_.resize(count * rule_.area_count);
    for (int64_t i = 0; i < group.truth_count; ++i) {
      const int32_t row = group.truths[i];
      for (int64_t range = 0; range < rule_.area_count; ++range)
        ignored_[i * rule_.area_count + range] = all_if(
            truths_.ignored[row] | outside(truths_.areas[row], rule_.area_ranges + 2 * range));
    }
  }

  static uint64_t all_if(bool flag) { return -static_cast<uint64_t>(flag); }

  // Returns false where an overlap is not a number, which no order can be made of.
  bool find_candidates(int64_t truth_count) {
    candidates_.clear();
    for (int64_t i = 0; i < truth_count; ++i) {
      if (values_[i] < ascending_.front()) continue;
      if (values_[i] != values_[i]) return false;
      size_t reached = 0;
      for (const double threshold : ascending_) reached += values_[i] >= threshold;
      candidates_.push_back({values_[i], i, reached_[reached]});
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
  void take_best(const Group& group, int64_t place) {
    const int64_t ranges = rule_.area_count;
    std::fill(matched_.begin(), matched_.end(), 0);
    std::fill(ignoring_.begin(), ignoring_.end(), 0);
    std::fill(done_.begin(), done_.end(), 0);
    for (const uint64_t among_ignored : {uint64_t{0}, ~uint64_t{0}})
      for (const Candidate& candidate : candidates_) {
        const int32_t truth = group.truths[candidate.place];
        const uint64_t once = truths_.crowd[truth] ? 0 : ~uint64_t{0};
        const uint64_t kept = loses_match(truth) ? 0 : ~uint64_t{0};
        uint64_t* const taken = taken_.data() + candidate.place * ranges;
        const uint64_t* const ignored = ignored_.data() + candidate.place * ranges;
        for (int64_t range = 0; range < ranges; ++range) {
          const uint64_t takes = candidate.reached & ~done_[range] & ~(taken[range] & once) &
                                 ~(ignored[range] ^ among_ignored);
          taken[range] |= takes;
          done_[range] |= takes;
          matched_[range] |= takes & kept;
          ignoring_[range] |= takes & among_ignored;
          if (table_.takes) note(range, place, takes, truth);
        }
      }
    for (int64_t range = 0; range < ranges; ++range)
      write(range, place, matched_[range], ignoring_[range]);
  }

  // Threshold by threshold, as COCOeval goes: an overlap that is not a number is less than none,
  // and none is less than it.
  void take_in_order(const Group& group, int64_t place) {
    const int64_t ranges = rule_.area_count;
    for (int64_t range = 0; range < ranges; ++range) {
      uint64_t matched = 0, ignoring = 0;
      for (int64_t t = 0; t < rule_.threshold_count; ++t) {
        const uint64_t bit = uint64_t{1} << t;
        double best = least_[t];
        int64_t chosen = -1;
        for (const bool among_ignored : {false, true}) {
          if (chosen >= 0) break;
          for (int64_t i = 0; i < group.truth_count; ++i) {
            if ((ignored_[i * ranges + range] != 0) != among_ignored) continue;
            if ((taken_[i * ranges + range] & bit) && !truths_.crowd[group.truths[i]]) continue;
            if (values_[i] < best) continue;
            best = values_[i];
            chosen = i;
          }
        }
        if (chosen < 0) continue;
        taken_[chosen * ranges + range] |= bit;
        if (!loses_match(group.truths[chosen])) matched |= bit;
        if (ignored_[chosen * ranges + range]) ignoring |= bit;
        if (table_.takes) note(range, place, bit, group.truths[chosen]);
      }
      write(range, place, matched, ignoring);
    }
  }

  bool loses_match(int32_t truth) const {
    return truths_.loses_match != nullptr && truths_.loses_match[truth];
  }

  void note(int64_t range, int64_t place, uint64_t thresholds, int32_t truth) {
    int32_t* const takes = table_.takes + range * rule_.threshold_count * counted_ + place;
    for (int64_t t = 0; thresholds; ++t, thresholds >>= 1)
      if (thresholds & 1) takes[t * counted_] = truth;
  }

  // A detection that matches is ignored with the truth it takes, else for its own sake.
  void write(int64_t range, int64_t place, uint64_t matched, uint64_t ignoring) {
    Bits& ignored = table_.ignored[range * counted_ + place];
    table_.matched[range * counted_ + place] = static_cast<Bits>(matched);
    ignored = static_cast<Bits>((ignored & ~matched) | ignoring);
  }

  const DetectionColumns& detections_;
  const TruthColumns& truths_;
  const MatchRule& rule_;
  const std::vector<double>& least_;
  uint64_t all_;
  std::unique_ptr<GroupOverlaps> overlaps_;
  int64_t counted_;
  MatchTable<Bits> table_;
  std::vector<double> ascending_;  // the least overlaps in order
  std::vector<uint64_t> reached_;  // the thresholds that the first 0, 1, 2, ... of them stand for
  std::vector<double> values_;
  std::vector<Candidate> candidates_;
  std::vector<uint64_t> taken_;    // thresholds at which a truth is, by truth, then area range
  std::vector<uint64_t> ignored_;  // all bits or none, by truth, then area range
  std::vector<uint64_t> matched_, ignoring_, done_;  // of the detection at hand, by area range
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
    for (int64_t range = 0; range < rule.area_count; ++range)
      for (int64_t row = slice * kTruthsPerItem; row < stop; ++row) {
        const bool ignored =
            truths.ignored[row] || outside(truths.areas[row], rule.area_ranges + 2 * range);
        table.truth_matched[range * truths.count + row] = 0;
        table.truth_ignored[range * truths.count + row] = static_cast<Bits>(ignored ? all : 0);
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
    matcher->expect(order.detections_of(bucket), order.truths_of(bucket));
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

#include "precision_recall.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "parallel.hpp"
#include "precision_curve.hpp"

namespace benchsuite {

double ImageWeights::of(int64_t image) const {
  const int64_t* found = std::lower_bound(ids, ids + images, image);
  return found != ids + images && *found == image ? weights[found - ids] : 0;
}

bool ImageWeights::are_whole(int64_t rows) const {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  double largest = 0;
  for (int64_t i = 0; i < images; ++i) {
    if (std::floor(weights[i]) != weights[i]) return false;
    largest = std::max(largest, weights[i]);
  }
  return largest * static_cast<double>(rows) < kExact;
}

namespace {

// The detections of a category that count, each with its weight.
struct Sequence {
  std::vector<int64_t> rows;
  std::vector<double> weights;

  void clear() {
    rows.clear();
    weights.clear();
  }
};

// A detection whose image stands w times counts as w detections in succession. Where weights are
// `whole`, detections of one image, category and score count in turns: a b a b, not a a b b, as they
// would if the image really stood there several times.
void fill_sequence(const MatchKeys& keys, const ImageWeights& weights, bool whole,
                   const int64_t* first, const int64_t* last, Sequence& sequence) {
  sequence.clear();
  while (first < last) {
    const int64_t* end = first + 1;
    while (end < last && keys.tied(*first, *end)) ++end;
    double weight = weights.of(keys.images[*first]);
    double turns = 1;
    if (whole && end - first > 1) std::swap(turns, weight);
    if (weight > 0)
      for (double turn = 0; turn < turns; ++turn) {
        sequence.rows.insert(sequence.rows.end(), first, end);
        sequence.weights.resize(sequence.rows.size(), weight);
      }
    first = end;
  }
}

constexpr size_t kTogether = 4;  // numbers of detections that rows are counted for in one pass

// A detection that is right, wrong or ignored depending on the IoU threshold.
template <class Bits, class Count>
struct MixedRow {
  Bits matched, ignored;
  int32_t rank;
  Count weight;
  std::array<Count, kTogether> wrong;  // at every threshold, until here
  int64_t row;
};

// Areas [first, last) of a category.
struct Unit {
  int64_t category;
  size_t first, last;
};

// What one thread makes its units with. `weights` is null where `Count` is int64_t, and only there.
template <class Bits, class Count>
class Worker {
 public:
  Worker(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
         const CurveAxes& axes, const ImageWeights* weights, const CurveArrays& out)
      : keys_(keys),
        order_(order),
        bits_(bits),
        axes_(axes),
        weights_(weights),
        whole_(weights && weights->are_whole(keys.rows)),
        out_(out),
        every_(every_threshold<Bits>(axes.thresholds)),
        reader_(axes.recalls),
        tally_(axes.thresholds) {}

  void run(const Unit& unit) {
    const int64_t* first = order_.detections + order_.detection_starts[unit.category];
    const int64_t* last = order_.detections + order_.detection_starts[unit.category + 1];
    if (weights_) {
      fill_sequence(keys_, *weights_, whole_, first, last, sequence_);
      first = sequence_.rows.data();
      last = first + sequence_.rows.size();
    }
    const size_t numbers = axes_.max_detections.size();
    const size_t points = axes_.thresholds * axes_.recalls.size();
    width_ = (unit.last - unit.first) * numbers;
    precision_.resize(points * width_);
    scores_.resize(points * width_);
    column_ = 0;
    for (size_t area = unit.first; area < unit.last; ++area) {
      const double truths = count_truths(unit.category, area);
      double* recall = out_.recall + (unit.category * bits_.matched.size() + area) * numbers;
      if (truths > 0) reader_.set_truths(truths);
      for (size_t m = 0; m < numbers; ++m, ++column_) {
        if (!(truths > 0)) {
          fill_absent(recall + m);
          continue;
        }
        if (m % kTogether == 0) select_mixed(area, m, first, last);
        read(m, first, last, recall + m);
      }
    }
    const size_t place = (unit.category * bits_.matched.size() + unit.first) * numbers;
    for (size_t point = 0; point < points; ++point) {
      const size_t from = point * width_, to = point * stride() + place;
      for (size_t i = 0; i < width_; ++i) out_.precision[to + i] = precision_[from + i];
      for (size_t i = 0; i < width_; ++i) out_.scores[to + i] = scores_[from + i];
    }
  }

 private:
  // Elements from one threshold and recall to the next in the arrays.
  size_t stride() const {
    return order_.categories * bits_.matched.size() * axes_.max_detections.size();
  }

  double count_truths(int64_t category, size_t area) const {
    double sum = 0;
    for (int64_t i = order_.truth_starts[category]; i < order_.truth_starts[category + 1]; ++i) {
      const int64_t row = order_.truths[i];
      if (bits_.ignored[area][row] == 0) sum += weights_ ? weights_->of(keys_.images[row]) : 1;
    }
    return sum;
  }

  // For the numbers of detections from `m` on, as many as are looked at together.
  void select_mixed(size_t area, size_t m, const int64_t* first, const int64_t* last) {
    mixed_.clear();
    const Bits *matched = bits_.matched[area], *ignored = bits_.ignored[area], every = every_;
    std::array<int32_t, kTogether> most;
    for (size_t i = 0; i < kTogether; ++i)
      most[i] = axes_.max_detections[std::min(m + i, axes_.max_detections.size() - 1)];
    std::array<Count, kTogether> wrong{};
    for (const int64_t* at = first; at < last; ++at) {
      const int64_t row = *at;
      const Bits match = matched[row] & every, left_out = ignored[row] & every;
      const int32_t rank = keys_.ranks[row];
      const Count weight = weights_ ? static_cast<Count>(sequence_.weights[at - first]) : 1;
      // Without branches, which the processor could not foresee.
      const Count if_wrong = (match | left_out) ? 0 : weight;
      for (size_t i = 0; i < kTogether; ++i) wrong[i] += rank < most[i] ? if_wrong : 0;
      if ((match | left_out) != 0 && left_out != every)
        mixed_.push_back({match, left_out, rank, weight, wrong, row});
    }
  }

  void fill_absent(double* recall) {
    const size_t points = axes_.thresholds * axes_.recalls.size();
    for (size_t point = 0; point < points; ++point)
      precision_[point * width_ + column_] = scores_[point * width_ + column_] = -1;
    for (int t = 0; t < axes_.thresholds; ++t) recall[t * stride()] = -1;
  }

  void read(size_t m, const int64_t* first, const int64_t* last, double* recall) {
    const int32_t most = axes_.max_detections[m];
    while (first < last && keys_.ranks[*first] >= most) ++first;
    const bool any = first < last;
    tally_.clear();
    for (const auto& row : mixed_)
      if (row.rank < most)
        tally_.add(row.matched, row.ignored, row.weight, row.wrong[m % kTogether], row.row);
    double* precision = precision_.data() + column_;
    double* scores = scores_.data() + column_;
    for (int t = 0; t < axes_.thresholds; ++t) {
      recall[t * stride()] = reader_.recall(tally_.found(t));
      const size_t points = t * axes_.recalls.size();
      reader_.read(tally_.curve(t), any,
                   [&](size_t r, double best, const TruePositive* at, bool reached) {
                     precision[(points + r) * width_] = best;
                     scores[(points + r) * width_] =
                         reached ? keys_.scores[at ? at->row : *first] : 0;
                   });
    }
  }

  const MatchKeys& keys_;
  const OrderedRows& order_;
  const MatchBits<Bits>& bits_;
  const CurveAxes& axes_;
  const ImageWeights* weights_;
  bool whole_;
  const CurveArrays& out_;
  Bits every_;
  RecallReader reader_;
  DetectionTally<Bits, Count> tally_;
  Sequence sequence_;
  std::vector<MixedRow<Bits, Count>> mixed_;
  // (thresholds, recalls, width_) of the unit at hand, and which column is.
  std::vector<double> precision_, scores_;
  size_t width_ = 0, column_ = 0;
};

// The largest first, and those that would keep one thread busy alone cut by area: a unit that is
// begun last, or is larger than its share, keeps the other threads waiting.
std::vector<Unit> units_of(const OrderedRows& order, size_t areas, int threads) {
  const auto size = [&](int64_t k) {
    return order.detection_starts[k + 1] - order.detection_starts[k];
  };
  std::vector<int64_t> turns(order.categories);
  std::iota(turns.begin(), turns.end(), 0);
  std::stable_sort(turns.begin(), turns.end(),
                   [&](int64_t a, int64_t b) { return size(a) > size(b); });
  const int64_t share = order.detection_starts[order.categories] / (2 * threads);
  std::vector<Unit> units;
  for (const int64_t k : turns) {
    const size_t step = threads > 1 && size(k) > share ? 1 : areas;
    for (size_t area = 0; area < areas; area += step) units.push_back({k, area, area + step});
  }
  return units;
}

template <class Count, class Bits>
void run(const std::vector<Unit>& units, const MatchKeys& keys, const OrderedRows& order,
         const MatchBits<Bits>& bits, const CurveAxes& axes, const ImageWeights* weights,
         const CurveArrays& out, int threads) {
  std::vector<Worker<Bits, Count>> workers;
  workers.reserve(threads);
  for (int i = 0; i < threads; ++i) workers.emplace_back(keys, order, bits, axes, weights, out);
  const int64_t columns = bits.matched.size() * axes.max_detections.size();
  const int64_t steps = order.detection_starts[order.categories] * bits.matched.size() * 4 +
                        order.categories * columns * axes.thresholds * axes.recalls.size() * 2;
  for_each_item(units.size(), grain_of(units.size(), steps), threads,
                [&](int64_t item, int worker) { workers[worker].run(units[item]); });
}

}  // namespace

template <class Bits>
void precision_recall(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
                      const CurveAxes& axes, const ImageWeights* weights, const CurveArrays& out,
                      int threads) {
  const auto units = units_of(order, bits.matched.size(), threads);
  if (weights)
    run<double>(units, keys, order, bits, axes, weights, out, threads);
  else
    run<int64_t>(units, keys, order, bits, axes, weights, out, threads);
}

#define BENCHSUITE_PRECISION_RECALL(Bits)                                                       \
  template void precision_recall<Bits>(const MatchKeys&, const OrderedRows&,                    \
                                       const MatchBits<Bits>&, const CurveAxes&,                \
                                       const ImageWeights*, const CurveArrays&, int);
BENCHSUITE_PRECISION_RECALL(uint8_t)
BENCHSUITE_PRECISION_RECALL(uint16_t)
BENCHSUITE_PRECISION_RECALL(uint32_t)
BENCHSUITE_PRECISION_RECALL(uint64_t)
#undef BENCHSUITE_PRECISION_RECALL

}  // namespace benchsuite

#include "precision_recall.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <type_traits>
#include <utility>

#include "parallel.hpp"
#include "precision_curve.hpp"
#include "row_classes.hpp"

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

// Areas [first, last) of a category, of those that are classified together.
struct Unit {
  int64_t category;
  size_t first, last;
};

// What one thread makes its units with. `weights` is null where `Count` is uint32_t, and only there.
template <class Bits, class Count>
class Worker {
 public:
  Worker(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
         const CurveAxes& axes, const std::vector<std::vector<uint8_t>>& classes,
         const ImageWeights* weights, const CurveArrays& out)
      : keys_(keys),
        order_(order),
        bits_(bits),
        axes_(axes),
        classes_(classes),
        weights_(weights),
        whole_(weights && weights->are_whole(keys.rows)),
        out_(out),
        reader_(axes.recalls),
        tally_(axes.thresholds) {
    const auto& numbers = axes.max_detections;
    for (size_t m = 0; m < numbers.size(); m += kNumbers) {
      std::array<int32_t, kNumbers> most;
      for (size_t i = 0; i < kNumbers; ++i) most[i] = numbers[std::min(m + i, numbers.size() - 1)];
      counters_.emplace_back(most);
    }
  }

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
    for (auto& counter : counters_)
      counter.count(classes_[unit.first / kAreas].data(), bits_, unit.first / kAreas * kAreas,
                    keys_.ranks, first, last, weights_ ? sequence_.weights.data() : nullptr);
    column_ = 0;
    for (size_t area = unit.first; area < unit.last; ++area) {
      const double truths = count_truths(unit.category, area);
      double* recall = out_.recall + (unit.category * bits_.matched.size() + area) * numbers;
      if (truths > 0) reader_.set_truths(truths);
      for (size_t m = 0; m < numbers; ++m, ++column_)
        truths > 0 ? read(area, m, first, last, recall + m) : fill_absent(recall + m);
    }
    const size_t place = (unit.category * bits_.matched.size() + unit.first) * numbers;
    for (size_t point = 0; point < points; ++point) {
      const size_t from = point * width_, to = point * stride() + place;
      for (size_t i = 0; i < width_; ++i) out_.precision[to + i] = precision_[from + i];
      for (size_t i = 0; i < width_; ++i) out_.scores[to + i] = scores_[from + i];
    }
  }

 private:
  using Sum = std::conditional_t<std::is_integral<Count>::value, int64_t, double>;

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

  void fill_absent(double* recall) {
    const size_t points = axes_.thresholds * axes_.recalls.size();
    for (size_t point = 0; point < points; ++point)
      precision_[point * width_ + column_] = scores_[point * width_ + column_] = -1;
    for (int t = 0; t < axes_.thresholds; ++t) recall[t * stride()] = -1;
  }

  void read(size_t area, size_t m, const int64_t* first, const int64_t* last, double* recall) {
    const int32_t most = axes_.max_detections[m];
    while (first < last && keys_.ranks[*first] >= most) ++first;
    const bool any = first < last;
    tally_.clear();
    for (const auto& mixed : counters_[m / kNumbers].mixed(area % kAreas))
      if (mixed.rank < most)
        tally_.add(mixed.matched, mixed.ignored, mixed.weight, mixed.wrong[m % kNumbers],
                   mixed.row);
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
  const std::vector<std::vector<uint8_t>>& classes_;
  const ImageWeights* weights_;
  bool whole_;
  const CurveArrays& out_;
  RecallReader reader_;
  DetectionTally<Bits, Sum> tally_;
  Sequence sequence_;
  std::vector<RowCounter<Bits, Count>> counters_;  // of four numbers of detections each
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
    const size_t step = threads > 1 && size(k) > share ? 1 : kAreas;
    for (size_t area = 0; area < areas; area += step)
      units.push_back({k, area, std::min(area + step, areas)});
  }
  return units;
}

template <class Count, class Bits>
void run(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
         const CurveAxes& axes, const ImageWeights* weights, const CurveArrays& out, int threads) {
  const size_t areas = bits.matched.size();
  const auto units = units_of(order, areas, threads);
  std::vector<std::vector<uint8_t>> classes;
  for (size_t area = 0; area < areas; area += kAreas)
    classes.push_back(classify(bits, area, std::min(area + kAreas, areas), keys.rows,
                               every_threshold<Bits>(axes.thresholds), threads));
  std::vector<Worker<Bits, Count>> workers;
  workers.reserve(threads);
  for (int i = 0; i < threads; ++i)
    workers.emplace_back(keys, order, bits, axes, classes, weights, out);
  const int64_t columns = areas * axes.max_detections.size();
  const int64_t steps = order.detection_starts[order.categories] * 4 +
                        order.categories * columns * axes.thresholds * axes.recalls.size() * 2;
  for_each_item(units.size(), grain_of(units.size(), steps), threads,
                [&](int64_t item, int worker) { workers[worker].run(units[item]); });
}

}  // namespace

template <class Bits>
void precision_recall(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
                      const CurveAxes& axes, const ImageWeights* weights, const CurveArrays& out,
                      int threads) {
  if (weights)
    run<double>(keys, order, bits, axes, weights, out, threads);
  else
    run<uint32_t>(keys, order, bits, axes, weights, out, threads);
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

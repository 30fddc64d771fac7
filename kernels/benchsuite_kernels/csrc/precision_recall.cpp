#include "precision_recall.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "parallel.hpp"
#include "precision_curve.hpp"

namespace benchsuite {

double ImageWeights::of(int64_t image) const {
  const int64_t* found = std::lower_bound(ids, ids + images, image);
  return found != ids + images && *found == image ? weights[found - ids] : 0;
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

// A detection whose image stands w times counts as w detections in succession. Detections of one
// image, category and score count in turns: a b a b, not a a b b, as they would if the image really
// stood there several times.
void fill_sequence(const MatchKeys& keys, const ImageWeights& weights, const int64_t* first,
                   const int64_t* last, Sequence& sequence) {
  sequence.clear();
  const auto tied = [&](int64_t a, int64_t b) {
    return keys.images[a] == keys.images[b] &&
           (keys.scores[a] == keys.scores[b] ||
            (std::isnan(keys.scores[a]) && std::isnan(keys.scores[b])));
  };
  while (first < last) {
    const int64_t* end = first + 1;
    while (end < last && tied(*first, *end)) ++end;
    double weight = weights.of(keys.images[*first]);
    double turns = 1;
    if (end - first > 1 && std::floor(weight) == weight) std::swap(turns, weight);
    if (weight > 0)
      for (double turn = 0; turn < turns; ++turn) {
        sequence.rows.insert(sequence.rows.end(), first, end);
        sequence.weights.resize(sequence.rows.size(), weight);
      }
    first = end;
  }
}

// The rows of a category and area range that count at one threshold at least.
template <class Bits>
struct CountedRows {
  std::vector<Bits> matched, ignored;
  std::vector<int32_t> ranks;
  std::vector<int64_t> rows;
  std::vector<double> weights;

  void resize(size_t size) {
    matched.resize(size);
    ignored.resize(size);
    ranks.resize(size);
    rows.resize(size);
  }
};

// Areas [first, last) of a category.
struct Unit {
  int64_t category;
  size_t first, last;
};

template <class Bits>
class Worker {
 public:
  Worker(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
         const CurveAxes& axes, const ImageWeights* weights, const CurveArrays& out)
      : keys_(keys),
        order_(order),
        bits_(bits),
        axes_(axes),
        weights_(weights),
        out_(out),
        reader_(axes.recalls),
        plain_(axes.thresholds),
        weighted_(axes.thresholds),
        every_(static_cast<Bits>(static_cast<Bits>(~Bits{0}) >>
                                 (8 * sizeof(Bits) - axes.thresholds))) {}

  void run(const Unit& unit) {
    const int64_t* first = order_.detections + order_.detection_starts[unit.category];
    const int64_t* last = order_.detections + order_.detection_starts[unit.category + 1];
    if (weights_) {
      fill_sequence(keys_, *weights_, first, last, sequence_);
      first = sequence_.rows.data();
      last = first + sequence_.rows.size();
    }
    const size_t points = axes_.thresholds * axes_.recalls.size();
    width_ = (unit.last - unit.first) * axes_.max_detections.size();
    precision_.resize(points * width_);
    scores_.resize(points * width_);
    for (size_t area = unit.first; area < unit.last; ++area) {
      const double truths = count_truths(unit.category, area);
      if (truths > 0) {
        reader_.set_truths(truths);
        select(area, first, last);
      }
      for (size_t m = 0; m < axes_.max_detections.size(); ++m) {
        column_ = (area - unit.first) * axes_.max_detections.size() + m;
        recall_ = out_.recall + (unit.category * bits_.matched.size() + area) *
                                    axes_.max_detections.size() + m;
        if (!(truths > 0))
          fill(-1);
        else if (weights_)
          read(weighted_, m, first, last);
        else
          read(plain_, m, first, last);
      }
    }
    const size_t stride = order_.categories * bits_.matched.size() * axes_.max_detections.size();
    const size_t place = (unit.category * bits_.matched.size() + unit.first) *
                         axes_.max_detections.size();
    for (size_t point = 0; point < points; ++point) {
      std::copy_n(&precision_[point * width_], width_, out_.precision + point * stride + place);
      std::copy_n(&scores_[point * width_], width_, out_.scores + point * stride + place);
    }
  }

 private:
  double count_truths(int64_t category, size_t area) const {
    double sum = 0;
    for (int64_t i = order_.truth_starts[category]; i < order_.truth_starts[category + 1]; ++i) {
      const int64_t row = order_.truths[i];
      if (bits_.ignored[area][row] == 0) sum += weights_ ? weights_->of(keys_.images[row]) : 1;
    }
    return sum;
  }

  void select(size_t area, const int64_t* first, const int64_t* last) {
    const Bits *matched = bits_.matched[area], *ignored = bits_.ignored[area];
    counted_.resize(last - first);
    counted_.weights.clear();
    size_t size = 0;
    for (const int64_t* row = first; row < last; ++row) {
      counted_.matched[size] = matched[*row];
      counted_.ignored[size] = ignored[*row];
      counted_.ranks[size] = keys_.ranks[*row];
      counted_.rows[size] = *row;
      if ((ignored[*row] & every_) == every_) continue;
      if (weights_) counted_.weights.push_back(sequence_.weights[row - first]);
      ++size;
    }
    counted_.resize(size);
  }

  int64_t stride() const {
    return order_.categories * bits_.matched.size() * axes_.max_detections.size();
  }

  void fill(double value) {
    const size_t points = axes_.thresholds * axes_.recalls.size();
    for (size_t point = 0; point < points; ++point)
      precision_[point * width_ + column_] = scores_[point * width_ + column_] = value;
    for (int t = 0; t < axes_.thresholds; ++t) recall_[t * stride()] = value;
  }

  template <class Count>
  void read(DetectionTally<Bits, Count>& tally, size_t m, const int64_t* first,
            const int64_t* last) {
    const int32_t most = axes_.max_detections[m];
    while (first < last && keys_.ranks[*first] >= most) ++first;
    const bool any = first < last;
    fill(0);
    tally.clear();
    for (size_t i = 0; i < counted_.rows.size(); ++i)
      if (counted_.ranks[i] < most)
        tally.add(counted_.matched[i], counted_.ignored[i],
                  weights_ ? static_cast<Count>(counted_.weights[i]) : 1, counted_.rows[i]);
    for (int t = 0; t < axes_.thresholds; ++t) {
      const size_t points = t * axes_.recalls.size();
      recall_[t * stride()] = reader_.recall(tally.found(t));
      reader_.read(tally.curve(t), any, [&](size_t r, double best, const TruePositive* at) {
        const size_t place = (points + r) * width_ + column_;
        precision_[place] = best;
        scores_[place] = keys_.scores[at ? at->row : *first];
      });
    }
  }

  const MatchKeys& keys_;
  const OrderedRows& order_;
  const MatchBits<Bits>& bits_;
  const CurveAxes& axes_;
  const ImageWeights* weights_;
  const CurveArrays& out_;
  RecallReader reader_;
  DetectionTally<Bits, int64_t> plain_;
  DetectionTally<Bits, double> weighted_;
  Bits every_;
  Sequence sequence_;
  CountedRows<Bits> counted_;
  // (thresholds x recalls, width_) of the unit at hand, and which of these columns is.
  std::vector<double> precision_, scores_;
  size_t width_ = 0, column_ = 0;
  double* recall_ = nullptr;
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

}  // namespace

template <class Bits>
void precision_recall(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
                      const CurveAxes& axes, const ImageWeights* weights, const CurveArrays& out,
                      int threads) {
  const auto units = units_of(order, bits.matched.size(), threads);
  std::vector<Worker<Bits>> workers;
  workers.reserve(threads);
  for (int i = 0; i < threads; ++i) workers.emplace_back(keys, order, bits, axes, weights, out);
  for_each_item(units.size(), 1, threads, [&](int64_t item, int worker) {
    workers[worker].run(units[item]);
  });
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

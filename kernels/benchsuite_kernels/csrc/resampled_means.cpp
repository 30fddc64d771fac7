#include "resampled_means.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "pairwise_sum.hpp"
#include "parallel.hpp"
#include "precision_curve.hpp"

namespace benchsuite {
namespace {

constexpr size_t kSummationBlock = 8192;  // as in metrics/coco_summary.py

constexpr uint32_t kNoImage = UINT32_MAX;  // of a row whose image is not weighted

// A detection that is not simply a false positive, or one that is tied with such a one.
template <class Bits>
struct Step {
  Bits matched, ignored;
  uint32_t image;
  uint32_t tied;    // rows from this one on that count in turns; 1 for a row that is not tied
  size_t wrong_to;  // end of the false positives that come before it
};

// A category's detections in an area range, those of a rank too high left out.
template <class Bits>
struct Steps {
  std::vector<Step<Bits>> steps;
  std::vector<uint32_t> wrong;   // images of the false positives at every threshold
  std::vector<uint32_t> truths;  // images of the truths to be found
};

// The curves of one area range and number of detections, and the values that are read off them.
template <class Bits>
struct CurveSet {
  size_t area, number;
  bool with_precision = false;
  std::vector<size_t> values;
  std::vector<Steps<Bits>> categories;
};

template <class Bits>
class Preparation {
 public:
  Preparation(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
              const CurveAxes& axes, const std::vector<uint32_t>& images)
      : keys_(keys),
        order_(order),
        bits_(bits),
        axes_(axes),
        images_(images),
        every_(every_threshold<Bits>(axes.thresholds)) {}

  void prepare(CurveSet<Bits>& set, int64_t category) const {
    const Bits *matched = bits_.matched[set.area], *ignored = bits_.ignored[set.area];
    const int32_t most = axes_.max_detections[set.number];
    auto& [steps, wrong, truths] = set.categories[category];
    for (int64_t i = order_.truth_starts[category]; i < order_.truth_starts[category + 1]; ++i) {
      const int64_t row = order_.truths[i];
      if (ignored[row] == 0 && images_[row] != kNoImage) truths.push_back(images_[row]);
    }
    std::vector<int64_t> tied;
    const int64_t* at = order_.detections + order_.detection_starts[category];
    const int64_t* last = order_.detections + order_.detection_starts[category + 1];
    while (at < last) {
      const int64_t* end = at + 1;
      while (end < last && keys_.tied(*at, *end)) ++end;
      tied.clear();
      bool mixed = false;
      for (; at < end; ++at) {
        const Bits match = matched[*at] & every_, left_out = ignored[*at] & every_;
        if (keys_.ranks[*at] >= most || images_[*at] == kNoImage || left_out == every_) continue;
        tied.push_back(*at);
        mixed |= (match | left_out) != 0;
      }
      if (!mixed) {
        if (set.with_precision)
          for (const int64_t row : tied) wrong.push_back(images_[row]);
        continue;
      }
      for (size_t i = 0; i < tied.size(); ++i)
        steps.push_back({static_cast<Bits>(matched[tied[i]] & every_),
                         static_cast<Bits>(ignored[tied[i]] & every_), images_[tied[i]],
                         i == 0 ? static_cast<uint32_t>(tied.size()) : 1, wrong.size()});
    }
  }

 private:
  const MatchKeys& keys_;
  const OrderedRows& order_;
  const MatchBits<Bits>& bits_;
  const CurveAxes& axes_;
  const std::vector<uint32_t>& images_;
  Bits every_;
};

// What one thread evaluates weightings with; `Count` is int64_t for whole weights, and only those.
template <class Bits, class Count>
class Evaluation {
 public:
  Evaluation(const CurveAxes& axes, const std::vector<CurveMean>& values)
      : axes_(axes), values_(values), reader_(axes.recalls), tally_(axes.thresholds) {}

  void run(const std::vector<CurveSet<Bits>>& sets, const Count* weights, double* means) {
    for (const auto& set : sets) {
      find_categories(set, weights);
      const size_t width = categories_.size();
      precision_.resize(set.with_precision ? axes_.thresholds * axes_.recalls.size() * width : 0);
      recall_.resize(axes_.thresholds * width);
      for (size_t column = 0; column < width; ++column) {
        count(set.categories[categories_[column]], weights);
        read(set.with_precision, column);
      }
      for (const size_t v : set.values) means[v] = mean(values_[v]);
    }
  }

 private:
  static constexpr bool kWhole = std::is_integral<Count>::value;

  // Those that have truths to find, and how many.
  void find_categories(const CurveSet<Bits>& set, const Count* weights) {
    categories_.clear();
    truths_.clear();
    for (size_t k = 0; k < set.categories.size(); ++k) {
      Count truths = 0;
      for (const uint32_t image : set.categories[k].truths) truths += weights[image];
      if (!(truths > 0)) continue;
      categories_.push_back(k);
      truths_.push_back(static_cast<double>(truths));
    }
  }

  void count(const Steps<Bits>& category, const Count* weights) {
    tally_.clear();
    Count wrong = 0;
    size_t passed = 0;
    const auto add = [&](const Step<Bits>& step, Count weight) {
      if (step.matched | step.ignored)
        tally_.add(step.matched, step.ignored, weight, wrong, 0);
      else
        wrong += weight;
    };
    const auto& steps = category.steps;
    for (size_t i = 0; i < steps.size();) {
      for (; passed < steps[i].wrong_to; ++passed) wrong += weights[category.wrong[passed]];
      const Count weight = weights[steps[i].image];
      const size_t end = i + steps[i].tied;
      if (kWhole && steps[i].tied > 1) {
        for (Count turn = 0; turn < weight; ++turn)
          for (size_t j = i; j < end; ++j) add(steps[j], 1);
      } else if (weight > 0) {
        for (size_t j = i; j < end; ++j) add(steps[j], weight);
      }
      i = end;
    }
  }

  void read(bool with_precision, size_t column) {
    const size_t width = categories_.size();
    reader_.set_truths(truths_[column]);
    for (int t = 0; t < axes_.thresholds; ++t) {
      recall_[t * width + column] = reader_.recall(tally_.found(t));
      if (!with_precision) continue;
      const auto& curve = tally_.curve(t);
      double* precision = precision_.data() + t * axes_.recalls.size() * width + column;
      reader_.read(curve, !curve.empty(),
                   [&](size_t r, double best, const TruePositive*, bool) {
                     precision[r * width] = best;
                   });
    }
  }

  double mean(const CurveMean& value) {
    const size_t width = categories_.size();
    const size_t points = value.of_recall ? 1 : axes_.recalls.size();
    const size_t first = value.threshold < 0 ? 0 : value.threshold * points;
    const size_t rows = value.threshold < 0 ? axes_.thresholds * points : points;
    const double* found = (value.of_recall ? recall_ : precision_).data() + first * width;
    size_t count = rows * width;
    if (value.categories) {
      selected_.clear();
      for (size_t i = 0; i < count; ++i)
        if (value.categories[categories_[i % width]]) selected_.push_back(found[i]);
      found = selected_.data();
      count = selected_.size();
    }
    if (count == 0) return -1;
    double sum = 0;
    for (size_t i = 0; i < count; i += kSummationBlock)
      sum += pairwise_sum(found + i, std::min(kSummationBlock, count - i));
    return sum / static_cast<double>(count);
  }

  const CurveAxes& axes_;
  const std::vector<CurveMean>& values_;
  RecallReader reader_;
  DetectionTally<Bits, Count> tally_;
  std::vector<size_t> categories_;
  std::vector<double> truths_;  // of categories_
  // (thresholds, recalls, categories_) and (thresholds, categories_) of the set at hand.
  std::vector<double> precision_, recall_, selected_;
};

std::vector<uint32_t> places_of_images(const MatchKeys& keys, const int64_t* images,
                                       int64_t image_count) {
  std::vector<uint32_t> places(keys.rows);
  int64_t last = -1;  // rows of an image mostly lie together
  for (int64_t row = 0; row < keys.rows; ++row) {
    const int64_t image = keys.images[row];
    if (last < 0 || images[last] != image) {
      last = std::lower_bound(images, images + image_count, image) - images;
      if (last == image_count || images[last] != image) last = -1;
    }
    places[row] = last < 0 ? kNoImage : static_cast<uint32_t>(last);
  }
  return places;
}

template <class Bits>
std::vector<CurveSet<Bits>> sets_of(const std::vector<CurveMean>& values, int64_t categories) {
  std::vector<CurveSet<Bits>> sets;
  for (size_t v = 0; v < values.size(); ++v) {
    auto set = std::find_if(sets.begin(), sets.end(), [&](const CurveSet<Bits>& other) {
      return other.area == values[v].area && other.number == values[v].number;
    });
    if (set == sets.end()) {
      set = sets.insert(sets.end(), {values[v].area, values[v].number});
      set->categories.resize(categories);
    }
    set->with_precision |= !values[v].of_recall;
    set->values.push_back(v);
  }
  return sets;
}

}  // namespace

template <class Bits>
void resampled_means(const MatchKeys& keys, const OrderedRows& order, const MatchBits<Bits>& bits,
                     const CurveAxes& axes, const std::vector<CurveMean>& values,
                     const int64_t* images, int64_t image_count, const double* weights,
                     int64_t replicates, double* means, int threads) {
  const auto places = places_of_images(keys, images, image_count);
  auto sets = sets_of<Bits>(values, order.categories);
  const Preparation<Bits> preparation(keys, order, bits, axes, places);
  const int64_t detections = order.detection_starts[order.categories];
  const int64_t parts = sets.size() * order.categories;
  for_each_item(parts, grain_of(parts, detections * sets.size() * 8), threads, [&](int64_t item,
                                                                                int) {
    preparation.prepare(sets[item / order.categories], item % order.categories);
  });
  std::vector<Evaluation<Bits, int64_t>> whole(threads, {axes, values});
  std::vector<Evaluation<Bits, double>> any(threads, {axes, values});
  std::vector<std::vector<int64_t>> counts(threads);
  const int64_t points = axes.thresholds * axes.recalls.size() * order.categories;
  const int64_t steps = (detections + points * 3) * sets.size() * replicates;
  for_each_item(replicates, grain_of(replicates, steps), threads, [&](int64_t replicate, int worker) {
    const double* own = weights + replicate * image_count;
    double* to = means + replicate * values.size();
    if (ImageWeights{image_count, images, own}.are_whole(keys.rows)) {
      counts[worker].assign(own, own + image_count);
      whole[worker].run(sets, counts[worker].data(), to);
    } else {
      any[worker].run(sets, own, to);
    }
  });
}

#define BENCHSUITE_RESAMPLED_MEANS(Bits)                                                      \
  template void resampled_means<Bits>(                                                        \
      const MatchKeys&, const OrderedRows&, const MatchBits<Bits>&, const CurveAxes&,         \
      const std::vector<CurveMean>&, const int64_t*, int64_t, const double*, int64_t, double*, \
      int);
BENCHSUITE_RESAMPLED_MEANS(uint8_t)
BENCHSUITE_RESAMPLED_MEANS(uint16_t)
BENCHSUITE_RESAMPLED_MEANS(uint32_t)
BENCHSUITE_RESAMPLED_MEANS(uint64_t)
#undef BENCHSUITE_RESAMPLED_MEANS

}  // namespace benchsuite

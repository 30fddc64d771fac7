#include "keypoint_similarity.hpp"

#include <algorithm>
#include <limits>

#include "clones.hpp"
#include "pairwise_sum.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kBucketsPerWorker = 8;

// Far more than the rounding errors of a similarity and its bound.
constexpr double kSlack = 1e-6;

// A truth's keypoints, a column each; of one without visible keypoints, the bounds of its box made
// twice as large on every side.
struct TruthKeypoints {
  std::vector<double> x, y;
  std::vector<char> visible;
  int64_t visible_count = 0;
  double left = 0, top = 0, right = 0, bottom = 0;
  double scale = 0;

  void read(const KeypointColumns& keypoints, int64_t row) {
    const double* const numbers = keypoints.truths + 3 * keypoints.keypoints * row;
    x.resize(keypoints.keypoints);
    y.resize(keypoints.keypoints);
    visible.resize(keypoints.keypoints);
    visible_count = 0;
    for (int64_t k = 0; k < keypoints.keypoints; ++k) {
      x[k] = numbers[3 * k];
      y[k] = numbers[3 * k + 1];
      visible[k] = numbers[3 * k + 2] > 0;
      visible_count += visible[k];
    }
    const double* const box = keypoints.boxes + 4 * row;
    left = box[0] - box[2];
    right = box[0] + box[2] * 2;
    top = box[1] - box[3];
    bottom = box[1] + box[3] * 2;
    scale = keypoints.areas[row] + std::numeric_limits<double>::epsilon();
  }
};

BENCHSUITE_CLONES
void exponents_to_points(const double* BENCHSUITE_RESTRICT x, const double* BENCHSUITE_RESTRICT y,
                         const double* BENCHSUITE_RESTRICT true_x,
                         const double* BENCHSUITE_RESTRICT true_y,
                         const double* BENCHSUITE_RESTRICT variances, double scale, int64_t count,
                         double* BENCHSUITE_RESTRICT exponents) {
  for (int64_t k = 0; k < count; ++k) {
    const double dx = x[k] - true_x[k], dy = y[k] - true_y[k];
    exponents[k] = (dx * dx + dy * dy) / variances[k] / scale / 2;
  }
}

// How far a place lies outside of a stretch; not a number where either is none.
double beyond(double place, double low, double high) {
  const double before = low - place, after = place - high;
  return (before <= 0 ? 0 : before) + (after <= 0 ? 0 : after);
}

// An upper bound of the sum of exp(-exponent): e**x is at least (1 + x / 16)**16. Not a number
// where an exponent is none.
BENCHSUITE_CLONES
double bound_of_sum(const double* exponents, const char* counts, int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) {
    double factor = 1 / (1 + exponents[k] / 16);
    factor *= factor;
    factor *= factor;
    factor *= factor;
    factor *= factor;
    sum += counts[k] ? factor : 0.0;
  }
  return sum;
}

struct Pair {
  int32_t detection, truth;
  int64_t first_exponent;  // within its bucket's
};

struct BucketPairs {
  std::vector<Pair> pairs;
  std::vector<double> exponents;
};

// Finds the pairs of a group; one a worker.
class PairFinder {
 public:
  PairFinder(const KeypointColumns& keypoints, const std::vector<double>& variances, double least)
      : keypoints_(keypoints),
        variances_(variances),
        least_(least),
        x_(keypoints.keypoints),
        y_(keypoints.keypoints),
        every_(keypoints.keypoints, 1) {}

  void find(const Group& group, BucketPairs& found) {
    const int64_t count = keypoints_.keypoints;
    if (truths_.size() < static_cast<size_t>(group.truth_count)) truths_.resize(group.truth_count);
    for (int64_t i = 0; i < group.truth_count; ++i) truths_[i].read(keypoints_, group.truths[i]);
    exponents_.resize(count * group.truth_count);
    may_count_.resize(group.truth_count);
    for (int64_t rank = 0; rank < group.detection_count; ++rank) {
      const double* const numbers = keypoints_.detections + 3 * count * group.detections[rank];
      for (int64_t k = 0; k < count; ++k) {
        x_[k] = numbers[3 * k];
        y_[k] = numbers[3 * k + 1];
      }
      // Where a similarity may be not a number every other one of the detection matters too.
      bool all = false;
      for (int64_t i = 0; i < group.truth_count; ++i) {
        double* const exponents = exponents_.data() + i * count;
        const double bound = compare(truths_[i], exponents);
        may_count_[i] = !(bound < least_ - kSlack);
        all = all || bound != bound;
      }
      for (int64_t i = 0; i < group.truth_count; ++i)
        if (all || may_count_[i]) keep(group.detections[rank], group.truths[i], i, found);
    }
  }

 private:
  // Returns an upper bound of the similarity.
  double compare(const TruthKeypoints& truth, double* exponents) const {
    const int64_t count = keypoints_.keypoints;
    double bound;
    if (truth.visible_count > 0) {
      exponents_to_points(x_.data(), y_.data(), truth.x.data(), truth.y.data(), variances_.data(),
                          truth.scale, count, exponents);
      bound = bound_of_sum(exponents, truth.visible.data(), count) /
              static_cast<double>(truth.visible_count);
    } else {
      exponents_to_box(truth, exponents);
      bound = bound_of_sum(exponents, every_.data(), count) / static_cast<double>(count);
    }
    // Exponents of the other sign have no such bound.
    return truth.scale > 0 ? bound : std::numeric_limits<double>::quiet_NaN();
  }

  void exponents_to_box(const TruthKeypoints& truth, double* exponents) const {
    for (int64_t k = 0; k < keypoints_.keypoints; ++k) {
      const double dx = beyond(x_[k], truth.left, truth.right);
      const double dy = beyond(y_[k], truth.top, truth.bottom);
      exponents[k] = (dx * dx + dy * dy) / variances_[k] / truth.scale / 2;
    }
  }

  void keep(int32_t detection, int32_t truth, int64_t place, BucketPairs& found) const {
    const int64_t count = keypoints_.keypoints;
    found.pairs.push_back({detection, truth, static_cast<int64_t>(found.exponents.size())});
    const TruthKeypoints& points = truths_[place];
    const double* const exponents = exponents_.data() + place * count;
    for (int64_t k = 0; k < count; ++k)
      if (points.visible_count == 0 || points.visible[k]) found.exponents.push_back(-exponents[k]);
  }

  const KeypointColumns& keypoints_;
  const std::vector<double>& variances_;
  double least_;
  std::vector<double> x_, y_;
  std::vector<char> every_;
  std::vector<TruthKeypoints> truths_;
  std::vector<double> exponents_;
  std::vector<char> may_count_;
};

}  // namespace

KeypointPairs keypoint_pairs(const GroupOrder& order, const KeypointColumns& keypoints,
                             int64_t detections, double least, int threads) {
  std::vector<double> variances(keypoints.keypoints);
  for (int64_t k = 0; k < keypoints.keypoints; ++k) {
    const double doubled = keypoints.sigmas[k] * 2;
    variances[k] = doubled * doubled;
  }
  std::vector<BucketPairs> found(order.buckets());
  std::vector<PairFinder> finders(std::max(threads, 1), PairFinder(keypoints, variances, least));
  for_each_item(order.buckets(), kBucketsPerWorker, threads, [&](int64_t bucket, int worker) {
    order.for_each_group(bucket, [&](const Group& group) {
      if (group.truth_count > 0) finders[worker].find(group, found[bucket]);
    });
  });

  // From bucket by bucket to detection by detection. A detection's pairs are together already.
  KeypointPairs joined;
  joined.starts.assign(detections + 1, 0);
  int64_t pairs = 0, exponents = 0;
  for (const BucketPairs& bucket : found) {
    for (const Pair& pair : bucket.pairs) ++joined.starts[pair.detection + 1];
    pairs += static_cast<int64_t>(bucket.pairs.size());
    exponents += static_cast<int64_t>(bucket.exponents.size());
  }
  for (int64_t row = 0; row < detections; ++row) joined.starts[row + 1] += joined.starts[row];
  joined.truths.resize(pairs);
  std::vector<std::pair<const double*, int64_t>> parts(pairs);
  std::vector<int64_t> next(joined.starts.begin(), joined.starts.end() - 1);
  for (const BucketPairs& bucket : found)
    for (size_t i = 0; i < bucket.pairs.size(); ++i) {
      const Pair& pair = bucket.pairs[i];
      const int64_t stop = i + 1 < bucket.pairs.size() ? bucket.pairs[i + 1].first_exponent
                                                       : static_cast<int64_t>(bucket.exponents.size());
      const int64_t place = next[pair.detection]++;
      joined.truths[place] = pair.truth;
      parts[place] = {bucket.exponents.data() + pair.first_exponent, stop - pair.first_exponent};
    }
  joined.exponent_starts.reserve(pairs + 1);
  joined.exponent_starts.push_back(0);
  joined.exponents.reserve(exponents);
  for (const auto& [first, count] : parts) {
    joined.exponents.insert(joined.exponents.end(), first, first + count);
    joined.exponent_starts.push_back(static_cast<int64_t>(joined.exponents.size()));
  }
  return joined;
}

void pairwise_means(const double* values, const int64_t* starts, int64_t count, double* means) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t size = starts[i + 1] - starts[i];
    means[i] = pairwise_sum(values + starts[i], size) / static_cast<double>(size);
  }
}

}  // namespace benchsuite

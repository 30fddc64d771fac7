// One curve of precision over recall: of a category, an area range, a number of detections and an
// IoU threshold. columns/precision_recall_reference.py says the same in NumPy.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

namespace benchsuite {

// numpy.spacing(1): what keeps a precision from being 0 / 0.
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

constexpr int kMostThresholds = 64;

template <class Bits>
Bits every_threshold(int thresholds) {
  return static_cast<Bits>(static_cast<Bits>(~Bits{0}) >> (8 * sizeof(Bits) - thresholds));
}

// A true positive, and what was counted until it, itself included.
struct TruePositive {
  double found, wrong;
  int64_t row;
};

// Counts the detections that are right, wrong or ignored depending on the IoU threshold, by
// descending score and at all thresholds at once. `Count` is int64_t where weights are whole, else
// double; sums of whole numbers are the same in both.
template <class Bits, class Count>
class DetectionTally {
 public:
  explicit DetectionTally(int thresholds)
      : every_(every_threshold<Bits>(thresholds)), curves_(thresholds) {}

  void clear() {
    wrong_.fill(0);
    found_.fill(0);
    for (auto& curve : curves_) curve.clear();
  }

  // `wrong_everywhere`: the detections until here that are false positives at every threshold, as
  // most of those are that are so at any.
  void add(Bits matched, Bits ignored, Count weight, Count wrong_everywhere, int64_t row) {
    for (Bits wrong = ~(matched | ignored) & every_; wrong; wrong &= wrong - 1)
      wrong_[lowest(wrong)] += weight;
    for (Bits right = matched & ~ignored & every_; right; right &= right - 1) {
      const int t = lowest(right);
      found_[t] += weight;
      curves_[t].push_back({static_cast<double>(found_[t]),
                            static_cast<double>(wrong_everywhere + wrong_[t]), row});
    }
  }

  // The true positives at a threshold, and the weight of all of them.
  const std::vector<TruePositive>& curve(int threshold) const { return curves_[threshold]; }
  double found(int threshold) const { return static_cast<double>(found_[threshold]); }

 private:
  static int lowest(Bits bits) {
#if defined(__GNUC__)
    return __builtin_ctzll(bits);
#else
    int place = 0;
    while (!(bits >> place & 1)) ++place;
    return place;
#endif
  }

  Bits every_;
  std::array<Count, kMostThresholds> wrong_{}, found_{};
  std::vector<std::vector<TruePositive>> curves_;
};

// Reads precision and score off a curve, at the protocol's recalls.
class RecallReader {
 public:
  explicit RecallReader(const std::vector<double>& recalls)
      : recalls_(recalls), needed_(recalls.size()), order_(recalls.size()) {
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) {
      return recalls[a] < recalls[b] || (std::isnan(recalls[b]) && !std::isnan(recalls[a]));
    });
  }

  // How much weight of truths there is to find; above 0.
  void set_truths(double truths) {
    if (truths == truths_) return;
    truths_ = truths;
    for (size_t r = 0; r < recalls_.size(); ++r) needed_[r] = least_reaching(recalls_[r]);
  }

  double recall(double found) const { return found / truths_; }

  // Calls write(r, precision, at) for every recall: the best precision there or at a higher recall,
  // and the true positive that reaches it. Any detection reaches recall 0: there `at` is null. So
  // it is, and the precision is 0, at recalls that are not reached; `write` is told which these are
  // by its fourth argument. Those after such a one are not reached either: where recalls do not
  // ascend, COCOeval leaves them out. `any`: whether there are detections.
  template <class Write>
  void read(const std::vector<TruePositive>& curve, bool any, const Write& write) const {
    const double found = curve.empty() ? 0 : curve.back().found;
    size_t end = 0;
    while (end < recalls_.size() && any && found >= needed_[end]) ++end;
    double best = 0;
    size_t first = curve.size();
    for (size_t place = order_.size(); place-- > 0;) {
      const size_t r = order_[place];
      for (; first > 0 && curve[first - 1].found >= needed_[r]; --first) {
        const TruePositive& at = curve[first - 1];
        best = std::max(best, at.found / (at.wrong + at.found + kEpsilon));
      }
      if (r >= end)
        write(r, 0.0, nullptr, false);
      else
        write(r, best, recalls_[r] <= 0 ? nullptr : &curve[first], true);
    }
  }

 private:
  // The smallest weight of true positives whose share of the truths, rounded, is `recall` or more.
  double least_reaching(double recall) const {
    if (recall <= 0) return 0;
    const auto reaches = [&](uint64_t bits) { return value(bits) / truths_ >= recall; };
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (!reaches(bits_of(kInfinity))) return kInfinity;  // not a number
    // Doubles above 0 are ordered as their bits; the product is a few steps off at most, unless it
    // is far out of any recall's range.
    constexpr uint64_t kNear = 4;
    const uint64_t guess = bits_of(recall * truths_);
    uint64_t below = guess > kNear ? guess - kNear : 0;
    uint64_t above = std::min(guess + kNear, bits_of(kInfinity));
    if (reaches(below)) below = 0;
    if (!reaches(above)) above = bits_of(kInfinity);
    while (above - below > 1) {
      const uint64_t middle = below + (above - below) / 2;
      (reaches(middle) ? above : below) = middle;
    }
    return value(above);
  }

  static double value(uint64_t bits) {
    double number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  }
  static uint64_t bits_of(double number) {
    uint64_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    return bits;
  }

  std::vector<double> recalls_, needed_;
  std::vector<size_t> order_;  // of the recalls, ascending
  double truths_ = 0;
};

}  // namespace benchsuite

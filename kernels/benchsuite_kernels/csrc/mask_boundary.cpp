#include "mask_boundary.hpp"

#include <algorithm>
#include <cmath>

#include "clones.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kBits = 64;

// Sets the rows from `start` to `stop` of a column whose first word begins at row `first`.
void set_rows(uint64_t* column, int64_t first, int64_t start, int64_t stop) {
  const int64_t from = start - first, last = stop - first - 1;
  const uint64_t low = ~uint64_t{0} << (from % kBits);
  const uint64_t high = ~uint64_t{0} >> (kBits - 1 - last % kBits);
  if (from / kBits == last / kBits) {
    column[from / kBits] |= low & high;
    return;
  }
  column[from / kBits] |= low;
  for (int64_t word = from / kBits + 1; word < last / kBits; ++word) column[word] = ~uint64_t{0};
  column[last / kBits] |= high;
}

int64_t count_bits(uint64_t word) {
#if defined(__GNUC__)
  return __builtin_popcountll(word);
#else
  int64_t count = 0;
  for (; word; word &= word - 1) ++count;
  return count;
#endif
}

BENCHSUITE_CLONES
int64_t area_of(const uint64_t* words, int64_t count) {
  int64_t area = 0;
  for (int64_t i = 0; i < count; ++i) area += count_bits(words[i]);
  return area;
}

BENCHSUITE_CLONES
int64_t common_area(const uint64_t* one, int64_t one_step, const uint64_t* other,
                    int64_t other_step, int64_t columns, int64_t words) {
  int64_t area = 0;
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t word = 0; word < words; ++word)
      area += count_bits(one[column * one_step + word] & other[column * other_step + word]);
  return area;
}

// Each word becomes the intersection of itself and the one `distance` on.
BENCHSUITE_CLONES
void intersect(uint64_t* words, int64_t count, int64_t distance) {
  for (int64_t i = 0; i + distance < count; ++i) words[i] &= words[i + distance];
}

BENCHSUITE_CLONES
void remove(uint64_t* BENCHSUITE_RESTRICT words, const uint64_t* BENCHSUITE_RESTRICT removed,
            int64_t count) {
  for (int64_t i = 0; i < count; ++i) words[i] &= ~removed[i];
}

// Calls visit(x, y, stop) for the rows y to stop of column x, of every stretch of foreground in it;
// stretches that touch are one.
template <class Visit>
void for_each_stretch(const DecodedMask& mask, const Visit& visit) {
  const std::vector<int64_t>& bounds = mask.bounds;
  for (size_t i = 0; i < bounds.size();) {
    int64_t start = bounds[i], stop = bounds[i + 1];
    for (i += 2; i < bounds.size() && bounds[i] == stop; i += 2) stop = bounds[i + 1];
    int64_t x = start / mask.height, y = start % mask.height;
    while (start < stop) {
      const int64_t rows = std::min(stop - start, mask.height - y);
      visit(x, y, y + rows);
      start += rows;
      ++x;
      y = 0;
    }
  }
}

}  // namespace

int64_t boundary_width(int64_t height, int64_t width, double ratio) {
  const double diagonal = std::sqrt(static_cast<double>(height * height + width * width));
  return std::max<int64_t>(1, static_cast<int64_t>(std::nearbyint(ratio * diagonal)));
}

void MaskBoundary::find(const DecodedMask& mask, double ratio) {
  left = mask.left;
  right = mask.right;
  area = mask.area;
  bits.clear();
  if (area == 0) return;
  first_word = mask.top / kBits;
  words = (mask.bottom - 1) / kBits + 1 - first_word;
  const int64_t reach = boundary_width(mask.height, mask.width, ratio);
  const int64_t window = 2 * reach + 1, columns = right - left;
  bits.assign(static_cast<size_t>(columns * words), 0);
  shrunk_.clear();
  if (columns >= window && mask.bottom - mask.top >= window) shrunk_.assign(bits.size(), 0);

  bool inner = false;
  for_each_stretch(mask, [&](int64_t x, int64_t y, int64_t stop) {
    const int64_t place = (x - left) * words;
    set_rows(bits.data() + place, first_word * kBits, y, stop);
    if (shrunk_.empty() || stop - y < window) return;
    set_rows(shrunk_.data() + place, first_word * kBits, y + reach, stop - reach);
    inner = true;
  });
  if (!inner) return;  // it is boundary all over

  // The intersection of as many columns as the window is wide: of 1, 2, 4, ... of them, and at last
  // of two such that overlap.
  const auto count = static_cast<int64_t>(shrunk_.size());
  int64_t span = 1;
  for (; 2 * span <= window; span *= 2) intersect(shrunk_.data(), count, span * words);
  if (span < window) intersect(shrunk_.data(), count, (window - span) * words);
  const int64_t kept = (columns - window + 1) * words;
  remove(bits.data() + reach * words, shrunk_.data(), kept);
  area = area_of(bits.data(), count);
}

double boundary_iou(const MaskBoundary& detection, const MaskBoundary& truth) {
  if (detection.area == 0 || truth.area == 0) return 0;
  const int64_t left = std::max(detection.left, truth.left);
  const int64_t columns = std::min(detection.right, truth.right) - left;
  const int64_t first = std::max(detection.first_word, truth.first_word);
  const int64_t words =
      std::min(detection.first_word + detection.words, truth.first_word + truth.words) - first;
  if (columns <= 0 || words <= 0) return 0;
  const auto place = [&](const MaskBoundary& boundary) {
    return boundary.bits.data() + (left - boundary.left) * boundary.words + first -
           boundary.first_word;
  };
  const int64_t common = common_area(place(detection), detection.words, place(truth), truth.words,
                                     columns, words);
  if (common == 0) return 0;
  return static_cast<double>(common) / static_cast<double>(detection.area + truth.area - common);
}

namespace {

class BoundaryGroup : public GroupOverlaps {
 public:
  BoundaryGroup(const MaskColumn& detections, const MaskColumn& truths, const bool* crowd,
                double least, double ratio)
      : masks_(detections, truths, crowd, least), crowd_(crowd), least_(least), ratio_(ratio) {}

  void expect(const Rows& detections, const Rows& truths) override {
    masks_.expect(detections, truths);
  }

  void start(const Group& group) override {
    masks_.start(group);
    group_ = group;
    found_.assign(static_cast<size_t>(group.truth_count), 0);
    if (boundaries_.size() < found_.size()) boundaries_.resize(found_.size());
  }

  // Boundaries are looked for where the masks alone overlap enough.
  bool compare(int64_t rank, double* ious) override {
    if (!masks_.compare(rank, ious)) return false;
    bool own_found = false, counting = false;
    for (int64_t i = 0; i < group_.truth_count; ++i) {
      if (ious[i] < least_) continue;
      if (ious[i] > 0 && !crowd_[group_.truths[i]]) {
        if (!own_found) boundary_.find(masks_.detection(), ratio_);
        own_found = true;
        if (!found_[i]) boundaries_[i].find(masks_.truth(i), ratio_);
        found_[i] = 1;
        ious[i] = std::min(ious[i], boundary_iou(boundary_, boundaries_[i]));
      }
      counting = counting || !(ious[i] < least_);
    }
    return counting;
  }

 private:
  MaskGroup masks_;
  const bool* crowd_;
  double least_, ratio_;
  Group group_{};
  std::vector<uint8_t> found_;
  std::vector<MaskBoundary> boundaries_;
  MaskBoundary boundary_;
};

}  // namespace

std::unique_ptr<GroupOverlaps> BoundaryOverlaps::for_worker(const bool* crowd,
                                                            double least) const {
  return std::make_unique<BoundaryGroup>(detections_, truths_, crowd, least, ratio_);
}

}  // namespace benchsuite

#include "mask_overlap.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "prefetch.hpp"
#include "rle.hpp"

namespace benchsuite {

void DecodedMask::decode(std::string_view counts, int64_t image_height, int64_t image_width) {
  rle::runs_of_image(counts, image_height, image_width, runs);
  height = image_height;
  width = image_width;
  area = 0;
  top = height;
  bottom = 0;
  regular = true;
  bounds.resize(runs.size() + 1);
  size_t count = 0;
  // Where the walk is: `position` pixels on, in row `y`.
  int64_t position = 0, y = 0;
  const auto advance = [&](int64_t pixels) {
    position += pixels;
    y += pixels;
    y -= y >= height ? height : 0;
    if (y >= height) y %= height;
  };
  for (size_t run = 0; run + 1 < runs.size(); run += 2) {
    const int64_t outside = runs[run], inside = runs[run + 1];
    regular = regular && (outside > 0 || run == 0) && (inside > 0 || run + 2 == runs.size());
    if (outside > 0) advance(outside);
    if (inside == 0) continue;
    bounds[count++] = position;
    bounds[count++] = position + inside;
    area += inside;
    // A run over a column's end reaches the image's bottom, and its top in the next column.
    const bool over = y + inside > height;
    top = std::min(top, over ? 0 : y);
    bottom = std::max(bottom, over ? height : y + inside);
    advance(inside);
  }
  bounds.resize(count);
  left = count ? bounds.front() / height : 0;
  right = count ? (bounds.back() - 1) / height + 1 : 0;
}

namespace {

// Pixels inside both.
int64_t common_pixels(const DecodedMask& one, const DecodedMask& other) {
  // Stretches that end before the other mask begins are passed over.
  const auto from = [](const std::vector<int64_t>& bounds, int64_t position) {
    const auto after = std::upper_bound(bounds.begin(), bounds.end(), position);
    return static_cast<size_t>(after - bounds.begin()) & ~size_t{1};
  };
  size_t a = from(one.bounds, other.bounds.front()), b = from(other.bounds, one.bounds.front());
  const size_t a_end = one.bounds.size(), b_end = other.bounds.size();
  const int64_t* const ones = one.bounds.data();
  const int64_t* const others = other.bounds.data();
  int64_t common = 0;
  while (a < a_end && b < b_end) {
    const int64_t start = std::max(ones[a], others[b]);
    const int64_t a_stop = ones[a + 1], b_stop = others[b + 1];
    common += std::max<int64_t>(std::min(a_stop, b_stop) - start, 0);
    a += a_stop <= b_stop ? 2 : 0;
    b += b_stop <= a_stop ? 2 : 0;
  }
  return common;
}

struct Walked {
  int64_t common, either;
};

// Pixels inside both and inside either, as far as pycocotools walks: it stops where both masks run
// out at once, be it into an empty run.
Walked walk_as_pycocotools(const std::vector<int64_t>& one, const std::vector<int64_t>& other) {
  int64_t a = one[0], b = other[0], common = 0, either = 0;
  size_t next_a = 1, next_b = 1;
  bool in_a = false, in_b = false;
  do {
    const int64_t step = std::min(a, b);
    if (in_a || in_b) either += step;
    if (in_a && in_b) common += step;
    a -= step;
    b -= step;
    if (a == 0 && next_a < one.size()) {
      a = one[next_a++];
      in_a = !in_a;
    }
    if (b == 0 && next_b < other.size()) {
      b = other[next_b++];
      in_b = !in_b;
    }
  } while (a + b > 0);
  return {common, either};
}

double ratio(int64_t common, int64_t whole) {
  return static_cast<double>(common) / static_cast<double>(whole);
}

}  // namespace

double mask_iou(const DecodedMask& detection, const DecodedMask& truth, bool crowd, double least) {
  const int64_t width = std::min(detection.right, truth.right) - std::max(detection.left, truth.left);
  const int64_t height =
      std::min(detection.bottom, truth.bottom) - std::max(detection.top, truth.top);
  if (width <= 0 || height <= 0) return 0;
  if (detection.height != truth.height || detection.width != truth.width) return -1;
  if (!detection.regular && !truth.regular) {
    const Walked walked = walk_as_pycocotools(detection.runs, truth.runs);
    return walked.common ? ratio(walked.common, crowd ? detection.area : walked.either) : 0;
  }
  // No more can be common than the smaller one's area, nor than fits where the boxes meet.
  const int64_t most = std::min({detection.area, truth.area, width * height});
  const int64_t both = detection.area + truth.area;
  const double bound = ratio(most, crowd ? detection.area : both - most);
  if (bound < least) return bound;
  const int64_t common = common_pixels(detection, truth);
  return common ? ratio(common, crowd ? detection.area : both - common) : 0;
}

namespace {

void decode(const MaskColumn& masks, int32_t row, const char* side, DecodedMask& mask) {
  try {
    mask.decode(masks[row], masks.height(row), masks.width(row));
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("mask of " + std::string(side) + " " + std::to_string(row) + ": " +
                                error.what());
  }
}

}  // namespace

void MaskGroup::expect(const Rows& detections, const Rows& truths) {
  for (const int32_t row : detections) prefetch(detections_.offsets + row);
  for (const int32_t row : truths) prefetch(truths_.offsets + row);
}

void MaskGroup::start(const Group& group) {
  group_ = group;
  for (int64_t i = 0; i < group.detection_count; ++i) {
    const std::string_view counts = detections_[group.detections[i]];
    for (size_t at = 0; at < counts.size(); at += kCacheLine) prefetch(counts.data() + at);
  }
  if (decoded_.size() < static_cast<size_t>(group.truth_count)) decoded_.resize(group.truth_count);
  for (int64_t i = 0; i < group.truth_count; ++i)
    decode(truths_, group.truths[i], "truth", decoded_[i]);
}

bool MaskGroup::compare(int64_t rank, double* ious) {
  decode(detections_, group_.detections[rank], "detection", detection_);
  bool counting = false;
  for (int64_t i = 0; i < group_.truth_count; ++i) {
    ious[i] = mask_iou(detection_, decoded_[i], crowd_[group_.truths[i]], least_);
    counting = counting || !(ious[i] < least_);
  }
  return counting;
}

std::unique_ptr<GroupOverlaps> MaskOverlaps::for_worker(const bool* crowd, double least) const {
  return std::make_unique<MaskGroup>(detections_, truths_, crowd, least);
}

}  // namespace benchsuite

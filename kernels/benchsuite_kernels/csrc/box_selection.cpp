// Selection from the box branch of a two-stage detector.
#include <algorithm>
#include <cmath>
#include <limits>

#include "best_keys.hpp"
#include "clones.hpp"
#include "parallel.hpp"
#include "selection.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kRows = 64;  // regions that one worker looks at at a time

struct Pair {
  int64_t image;
  uint64_t key;
};

BENCHSUITE_CLONES
int32_t any_above(const float* values, int64_t count, float threshold) {
  int32_t any = 0;
  for (int64_t i = 0; i < count; ++i) any |= values[i] > threshold ? 1 : 0;
  return any;
}

BENCHSUITE_CLONES
int32_t all_within(const float* values, int64_t count, float limit) {
  int32_t outside = 0;
  for (int64_t i = 0; i < count; ++i) outside |= std::fabs(values[i]) < limit ? 0 : 1;
  return !outside;
}

Corners box_of(const Regions& regions, int64_t row, int64_t label, const BoxCoding& coding) {
  const int64_t place = regions.box_classes > 1 ? row * regions.box_classes + label : row;
  const float* const own = regions.boxes + row * 4;
  return coded_box(coding, regions.deltas + place * 4, {own[0], own[1], own[2], own[3]});
}

// Whether all scores and all boxes of a region are finite.
bool is_finite(const Regions& regions, int64_t row, const BoxCoding& coding) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kOrdinary = 1e9f;  // of such values nothing overflows
  const float* const scores = regions.scores + row * (regions.classes + 1);
  if (!all_within(scores, regions.classes + 1, kInfinity)) return false;
  const float* const deltas = regions.deltas + row * regions.box_classes * 4;
  const bool ordinary = std::all_of(coding.weights, coding.weights + 4,
                                    [](float weight) { return std::fabs(weight) > 1e-3f; });
  if (ordinary && all_within(deltas, regions.box_classes * 4, kOrdinary) &&
      all_within(regions.boxes + row * 4, 4, kOrdinary))
    return true;
  for (int64_t each = 0; each < regions.box_classes; ++each)
    if (!all_finite(box_of(regions, row, each, coding))) return false;
  return true;
}

// The pairs of some regions whose score exceeds the threshold.
std::vector<Pair> pairs_of(const Regions& regions, int64_t begin, int64_t end,
                           const BoxCoding& coding, float threshold) {
  std::vector<Pair> pairs;
  for (int64_t row = begin; row < end; ++row) {
    const float* const scores = regions.scores + row * (regions.classes + 1);
    if (regions.image_index[row] < 0 || !any_above(scores, regions.classes, threshold) ||
        !is_finite(regions, row, coding))
      continue;
    for (int64_t label = 0; label < regions.classes; ++label)
      if (scores[label] > threshold)
        pairs.push_back(
            {regions.image_index[row],
             rank_key(scores[label], static_cast<uint32_t>(row * regions.classes + label))});
  }
  return pairs;
}

}  // namespace

void select_boxes(const Regions& regions, int64_t images, const float* sizes,
                  const BoxCoding& coding, float threshold, float min_size,
                  const Candidates& candidates, int threads) {
  const int64_t parts = (regions.count + kRows - 1) / kRows;
  const int64_t steps = regions.count * regions.classes;
  std::vector<std::vector<Pair>> found(parts);
  for_each_item(parts, grain_of(parts, steps), threads, [&](int64_t part, int) {
    const int64_t begin = part * kRows, end = std::min(begin + kRows, regions.count);
    found[part] = pairs_of(regions, begin, end, coding, threshold);
  });
  std::vector<std::vector<uint64_t>> keys(images);
  for (const std::vector<Pair>& pairs : found)
    for (const Pair& pair : pairs) {
      const uint32_t index = index_of(pair.key);
      const int64_t row = index / regions.classes, label = index % regions.classes;
      const float* const size = sizes + pair.image * 2;
      const Corners box = clipped(box_of(regions, row, label, coding), size[0], size[1]);
      if (!(box.x2 - box.x1 < min_size || box.y2 - box.y1 < min_size))
        keys[pair.image].push_back(pair.key);
    }
  for (int64_t image = 0; image < images; ++image) {
    std::vector<uint64_t>& own = keys[image];
    std::sort(own.begin(), own.end());
    const int64_t room = candidates.room, kept = std::min<int64_t>(room, own.size());
    for (int64_t place = 0; place < kept; ++place) {
      const int64_t row = index_of(own[place]) / regions.classes;
      const int64_t label = index_of(own[place]) % regions.classes;
      const Corners box = box_of(regions, row, label, coding);
      candidates.put(image, place, clipped(box, sizes[image * 2], sizes[image * 2 + 1]),
                     score_of(own[place]), label);
    }
    for (int64_t place = kept; place < room; ++place) candidates.leave_out(image, place);
  }
}

}  // namespace benchsuite

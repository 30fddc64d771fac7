#include "polygon_targets.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "parallel.hpp"
#include "rle_polygons.hpp"

namespace benchsuite {
namespace {

// A region with a shorter side is scaled as if it had this one.
constexpr float kShortestSide = 0.1f;

struct Scratch {
  std::vector<double> points;
  std::vector<int32_t> numbers;
  rle::Changes changes;
};

// Cells of the region's grid for a pixel. NaN stays NaN.
float cells_a_pixel(float from, float to, int64_t size) {
  const float side = to - from;
  return static_cast<float>(size) / (side < kShortestSide ? kShortestSide : side);
}

// Moves a region's polygons into its grid; false where they cannot be drawn there.
bool move(const PolygonTargets& task, int64_t region, Scratch& scratch) {
  const float* box = task.boxes + 4 * region;
  const double left = box[0], top = box[1];
  const double wider = cells_a_pixel(box[0], box[2], task.size);
  const double higher = cells_a_pixel(box[1], box[3], task.size);
  const int64_t mask = task.matched[region];
  scratch.points.clear();
  scratch.numbers.clear();
  for (int64_t i = task.mask_starts[mask]; i < task.mask_starts[mask + 1]; ++i) {
    const int64_t begin = task.polygon_starts[i], end = task.polygon_starts[i + 1];
    for (const double* at = task.points + 2 * begin; at < task.points + 2 * end; at += 2) {
      const double x = (at[0] - left) * wider, y = (at[1] - top) * higher;
      if (!(std::fabs(x) <= rle::kLargestCoordinate && std::fabs(y) <= rle::kLargestCoordinate))
        return false;
      scratch.points.push_back(x);
      scratch.points.push_back(y);
    }
    scratch.numbers.push_back(static_cast<int32_t>(2 * (end - begin)));
  }
  return !scratch.numbers.empty();
}

}  // namespace

void PolygonTargets::draw(int threads) const {
  std::vector<Scratch> scratches(std::max(threads, 1));
  for_each_item(regions, 8, threads, [&](int64_t region, int worker) {
    Scratch& scratch = scratches[worker];
    bool* target = targets + region * size * size;
    std::fill_n(target, size * size, false);
    if (!move(*this, region, scratch)) return;
    rle::draw_polygons(scratch.points.data(), scratch.numbers.data(),
                       static_cast<int64_t>(scratch.numbers.size()), size, size, scratch.changes);
    const std::vector<int64_t>& at = scratch.changes.positions();
    for (size_t i = 0; i < at.size(); i += 2) {
      const int64_t end = i + 1 < at.size() ? at[i + 1] : size * size;
      for (int64_t cell = at[i]; cell < end; ++cell)
        target[cell % size * size + cell / size] = true;
    }
  });
}

}  // namespace benchsuite

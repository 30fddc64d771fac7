#include "pairwise_iou.hpp"

#include <vector>

#include "../cuda/sources/box_iou.cuh"
#include "clones.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

// Boxes, one array a coordinate.
struct Columns {
  std::vector<float> x1, y1, x2, y2, area;

  Columns(const float* boxes, int64_t count)
      : x1(count), y1(count), x2(count), y2(count), area(count) {
    for (int64_t i = 0; i < count; ++i) {
      const float* const box = boxes + i * 4;
      x1[i] = box[0];
      y1[i] = box[1];
      x2[i] = box[2];
      y2[i] = box[3];
      area[i] = box_area(box[0], box[1], box[2], box[3]);
    }
  }
};

BENCHSUITE_CLONES
void overlaps_with(const Columns& others, const float* box, float* BENCHSUITE_RESTRICT overlaps) {
  const float* BENCHSUITE_RESTRICT x1 = others.x1.data();
  const float* BENCHSUITE_RESTRICT y1 = others.y1.data();
  const float* BENCHSUITE_RESTRICT x2 = others.x2.data();
  const float* BENCHSUITE_RESTRICT y2 = others.y2.data();
  const float* BENCHSUITE_RESTRICT area = others.area.data();
  const int64_t count = static_cast<int64_t>(others.area.size());
  const float left = box[0], top = box[1], right = box[2], bottom = box[3];
  const float own = box_area(left, top, right, bottom);
  for (int64_t j = 0; j < count; ++j) {
    const float common = box_intersection(left, top, right, bottom, x1[j], y1[j], x2[j], y2[j]);
    const float overlap = common / (own + area[j] - common);
    overlaps[j] = overlap > 0 ? overlap : 0.0f;
  }
}

}  // namespace

void pairwise_iou(const float* boxes, int64_t count, const float* others, int64_t other_count,
                  float* overlaps, int threads) {
  const Columns columns(others, other_count);
  for_each_item(count, grain_of(count, count * other_count), threads, [&](int64_t row, int) {
    overlaps_with(columns, boxes + row * 4, overlaps + row * other_count);
  });
}

void pairwise_iou_rotated(const rotated::Box* boxes, int64_t count, const rotated::Box* others,
                          int64_t other_count, float* overlaps, int threads) {
  constexpr int64_t kStepsPerPair = 50;
  const int64_t grain = grain_of(count, count * other_count * kStepsPerPair);
  for_each_item(count, grain, threads, [&](int64_t row, int) {
    for (int64_t j = 0; j < other_count; ++j) {
      const float overlap = static_cast<float>(rotated::iou(boxes[row], others[j]));
      overlaps[row * other_count + j] = overlap > 0 ? overlap : 0.0f;
    }
  });
}

}  // namespace benchsuite

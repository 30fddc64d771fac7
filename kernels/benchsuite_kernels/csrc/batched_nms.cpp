#include "batched_nms.hpp"

#include <limits>

#include "../cuda/sources/box_iou.cuh"
#include "clones.hpp"
#include "nms.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kWorthThreads = 10000;  // boxes; fewer take less than waking a thread may
constexpr int64_t kAtOnce = 16;

// Boxes one array a coordinate; so many that they are tested `kAtOnce` at a time.
struct Columns {
  std::vector<float> x1, y1, x2, y2, area;
};

// Whether a box overlaps any of the first `count` by more than the threshold.
BENCHSUITE_CLONES
bool overlaps_any(const Columns& others, int64_t count, const float* box, float threshold) {
  const float* BENCHSUITE_RESTRICT x1 = others.x1.data();
  const float* BENCHSUITE_RESTRICT y1 = others.y1.data();
  const float* BENCHSUITE_RESTRICT x2 = others.x2.data();
  const float* BENCHSUITE_RESTRICT y2 = others.y2.data();
  const float* BENCHSUITE_RESTRICT area = others.area.data();
  const float left = box[0], top = box[1], right = box[2], bottom = box[3];
  const float own = box_area(left, top, right, bottom);
  for (int64_t start = 0; start < count; start += kAtOnce) {
    int32_t any = 0;
    for (int64_t j = start; j < start + kAtOnce; ++j) {
      const float common =
          box_intersection(x1[j], y1[j], x2[j], y2[j], left, top, right, bottom);
      any |= common / (area[j] + own - common) > threshold ? -1 : 0;
    }
    if (any) return true;
  }
  return false;
}

class KeptBoxes {
 public:
  KeptBoxes(const float* boxes, float threshold) : boxes_(boxes), threshold_(threshold) {}

  void start(int64_t most) {
    const size_t room = static_cast<size_t>((most + kAtOnce - 1) / kAtOnce * kAtOnce);
    for (auto* column : {&kept_.x1, &kept_.y1, &kept_.x2, &kept_.y2}) column->resize(room);
    // What is not there yet overlaps nothing.
    kept_.area.assign(room, std::numeric_limits<float>::quiet_NaN());
    count_ = 0;
  }

  bool drops(int64_t index) const {
    return overlaps_any(kept_, count_, boxes_ + index * 4, threshold_);
  }

  void add(int64_t index) {
    const float* const box = boxes_ + index * 4;
    kept_.x1[count_] = box[0];
    kept_.y1[count_] = box[1];
    kept_.x2[count_] = box[2];
    kept_.y2[count_] = box[3];
    kept_.area[count_] = box_area(box[0], box[1], box[2], box[3]);
    ++count_;
  }

 private:
  const float* boxes_;
  float threshold_;
  Columns kept_;
  int64_t count_ = 0;
};

}  // namespace

std::vector<int64_t> batched_nms(const BoxCandidates& candidates, double iou_threshold,
                                 int threads) {
  return keep_best(
      nms_candidates(candidates.scores, candidates.groups, candidates.count, false),
      candidates.count, candidates.count < kWorthThreads ? 1 : threads,
      KeptBoxes(candidates.boxes, not_above(iou_threshold)));
}

void nms_per_image(const BoxCandidates& all, int64_t images, double iou_threshold, int64_t limit,
                   int64_t* index, int64_t* counts, int threads) {
  const int64_t count = all.count;
  const auto suppress = [&](int64_t image, int image_threads) {
    const int64_t first = image * count;
    return keep_best(nms_candidates(all.scores + first, all.groups + first, count, true), limit,
                     image_threads, KeptBoxes(all.boxes + first * 4, not_above(iou_threshold)));
  };
  keep_best_per_image(images, limit, images * count < kWorthThreads ? 1 : threads, index, counts,
                      suppress);
}

}  // namespace benchsuite

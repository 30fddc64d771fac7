#include "nms_rotated.hpp"

#include <algorithm>
#include <vector>

#include "nms.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kWorthThreads = 1000;  // boxes; fewer take less than waking a thread may

class KeptRotated {
 public:
  KeptRotated(const rotated::Box* boxes, float threshold) : boxes_(boxes), threshold_(threshold) {}

  void start(int64_t most) {
    kept_.clear();
    kept_.reserve(static_cast<size_t>(most));
  }

  bool drops(int64_t index) const {
    return std::any_of(kept_.begin(), kept_.end(), [&](const rotated::Box& better) {
      return static_cast<float>(rotated::iou(better, boxes_[index])) > threshold_;
    });
  }

  void add(int64_t index) { kept_.push_back(boxes_[index]); }

 private:
  const rotated::Box* boxes_;
  float threshold_;
  std::vector<rotated::Box> kept_;
};

}  // namespace

void nms_rotated_per_image(const rotated::Box* boxes, const float* scores, const int64_t* groups,
                           int64_t images, int64_t count, double iou_threshold, int64_t limit,
                           int64_t* index, int64_t* counts, int threads) {
  const auto suppress = [&](int64_t image, int image_threads) {
    const int64_t first = image * count;
    return keep_best(nms_candidates(scores + first, groups + first, count, true), limit,
                     image_threads, KeptRotated(boxes + first, not_above(iou_threshold)));
  };
  keep_best_per_image(images, limit, images * count < kWorthThreads ? 1 : threads, index, counts,
                      suppress);
}

}  // namespace benchsuite

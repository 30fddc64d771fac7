#include "soft_nms.hpp"

#include <vector>

#include "../cuda/sources/box_iou.cuh"
#include "parallel.hpp"

namespace benchsuite {
namespace {

// What is left of an image, in the order of places.
struct Left {
  int64_t place, group;
  const float* box;
  float area, score;
};

}  // namespace

void SoftNms::run_image(int64_t image) const {
  std::vector<Left> left;
  left.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const float score = scores[image * count + i];
    if (!(score > min_score)) continue;
    const float* const box = boxes + (image * count + i) * 4;
    const float area = box_area(box[0], box[1], box[2], box[3]);
    left.push_back({i, groups[image * count + i], box, area, score});
  }
  int64_t taken = 0;
  for (; taken < limit && !left.empty(); ++taken) {
    size_t best = 0;
    for (size_t i = 1; i < left.size(); ++i)
      if (left[i].score > left[best].score) best = i;
    const Left chosen = left[best];
    index[image * limit + taken] = chosen.place;
    taken_scores[image * limit + taken] = chosen.score;
    size_t stay = 0;
    for (size_t i = 0; i < left.size(); ++i) {
      if (i == best) continue;
      Left other = left[i];
      if (other.group == chosen.group) {
        const float common =
            box_intersection(chosen.box[0], chosen.box[1], chosen.box[2], chosen.box[3],
                             other.box[0], other.box[1], other.box[2], other.box[3]);
        other.score *= soft_nms_factor(decay, common / (chosen.area + other.area - common));
        if (!(other.score > min_score)) continue;
      }
      left[stay++] = other;
    }
    left.resize(stay);
  }
  counts[image] = taken;
}

void SoftNms::run(int threads) const {
  const int64_t grain = grain_of(images, images * count * limit);
  for_each_item(images, grain, threads, [&](int64_t image, int) { run_image(image); });
}

}  // namespace benchsuite

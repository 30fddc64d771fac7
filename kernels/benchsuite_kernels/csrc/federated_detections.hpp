// Which detections count where images were searched for some categories alone (LVIS);
// columns/federated_detections.py describes it.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite::federated {

// What each image was searched for. Places of categories ascend within an image.
struct LookedFor {
  const int64_t* image_ids;  // (images,) ascending
  const int64_t* category_ids;  // (categories,) ascending
  const int64_t* starts;  // (images + 1,)
  const int64_t* listed;  // places of categories
  const bool* exhaustive;  // one a listed category
  const bool* everything;  // (images,)
  int64_t images, categories;
};

struct Detections {
  const int64_t* image_ids;
  const int64_t* category_ids;
  const double* scores;  // none is NaN
  int64_t count;
};

struct Selected {
  std::vector<int64_t> rows, groups;
  std::vector<uint8_t> not_exhaustive;
  int64_t unknown_image = -1, unknown_category = -1;
};

Selected select(const Detections& detections, const LookedFor& looked_for, int64_t most,
                int threads);

}  // namespace benchsuite::federated

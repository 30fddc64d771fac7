// In which order boxes are pooled.
#pragma once

#include <cstdint>
#include <vector>

#include "roi_align.hpp"

namespace benchsuite {

// The boxes along a Z-shaped curve over each feature map, so that one box finds in the cache what
// its neighbour has read. Arguments are as of RoiAlign.
std::vector<int64_t> roi_order(const std::vector<PyramidLevel>& levels, int64_t boxes,
                               const float* box, const int64_t* batch_index, const int64_t* level);

}  // namespace benchsuite

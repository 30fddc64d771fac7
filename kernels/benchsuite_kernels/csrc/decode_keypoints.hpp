// The highest pixel of each heat map, stretched over its box by bicubic interpolation.
#pragma once

#include <cstdint>

namespace benchsuite {

// Outputs of (boxes, keypoints): position x and y; the stretched map's highest value; and that
// one's share of the softmax over the map's own cells.
struct KeypointPeaks {
  float* positions;
  float* logits;
  float* shares;
};

// `maps`: boxes x keypoints x side x side, of float, Half or BFloat16; `box`: boxes x 4, xyxy. The
// first of equal pixels is found; NaN is higher than all numbers. A box that is not finite or
// has a side of more than kLongestSide pixels gives NaN.
template <class T>
void decode_keypoints(const T* maps, const float* box, int64_t boxes, int64_t keypoints,
                      int64_t side, const KeypointPeaks& peaks, int threads);

}  // namespace benchsuite

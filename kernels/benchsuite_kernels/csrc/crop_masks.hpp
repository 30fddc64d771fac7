// Packed masks as regions see them; ops/crop_packed_masks.py gives the conventions.
#pragma once

#include <cstdint>

namespace benchsuite {

struct CropMasks {
  const uint64_t* bits;   // masks x words
  const int64_t* sizes;   // height and width of each mask
  const int64_t* index;   // the mask of each region; below 0: none
  const float* boxes;     // regions x 4, xyxy
  int64_t words, regions, size;
  bool* targets;          // regions x size x size

  void crop(int threads) const;
};

}  // namespace benchsuite

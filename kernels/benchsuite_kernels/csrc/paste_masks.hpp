// Mask head outputs into images without the full mask; ops/paste_masks.py gives the conventions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace benchsuite {

// Masks of the detections of a batch of images.
struct PasteMasks {
  const float* masks;          // count x side x side
  const float* boxes;          // count x 4, xyxy, pixels of the mask's image
  const int64_t* image_index;  // count
  const int64_t* sizes;        // height and width of each image
  int64_t count, side;
  float threshold;

  // The compressed counts of each.
  std::vector<std::string> to_rle(int threads) const;
  // Where the runs of each end, background first; the last ends with the image.
  std::vector<std::vector<int64_t>> to_ends(int threads) const;
  // Packed bits (packed_masks.hpp) into count x words words.
  void to_packed(uint64_t* bits, int64_t words, int threads) const;
};

}  // namespace benchsuite

// Decoded images of several sizes to one batch: resized, normalised, padded.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite::resize {

// height x width x 3 of 8 bits, to be resized by Pillow's bilinear filter.
struct SourceImage {
  const uint8_t* pixels;
  int64_t height, width, new_height, new_width;
};

// (value - mean) / std in float, by channel of the result; `reversed`: which is the source's last
// one first.
struct Normalisation {
  float mean[3], std[3];
  bool reversed;
};

// images x 3 x height x width; in memory the channels are planes, or last.
struct BatchShape {
  int64_t height, width;
  bool channels_last;
};

// Images lie in the upper left corner, zeros around them. T is float, Half or BFloat16.
template <class T>
void resize_normalise_pad(const std::vector<SourceImage>& images, const Normalisation& normalisation,
                          const BatchShape& shape, T* batch, int threads);

}  // namespace benchsuite::resize

// The class of every pixel of an image from a semantic head's logits, which are resized twice.
#pragma once

#include <cstdint>

namespace benchsuite {

// Logits of float, Half or BFloat16: classes x height x width, in any order of memory.
template <class T>
struct LogitGrid {
  const T* data;
  int64_t classes, height, width;
  int64_t of_class, of_row, of_column;  // steps in memory
};

// From the grid to the padded input, `stride` times as large, of which the resized image is a part,
// and from that to the image as it was given.
struct SemanticSizes {
  int64_t stride;
  int64_t resized_height, resized_width;
  int64_t height, width;
};

// `labels`: height x width, the first of the best classes; NaN is better than all numbers. No size
// is 0, `stride` is at least 1, and the resized image no larger than the padded one.
template <class T, class Label>
void semantic_argmax(const LogitGrid<T>& logits, const SemanticSizes& sizes, Label* labels,
                     int threads);

}  // namespace benchsuite

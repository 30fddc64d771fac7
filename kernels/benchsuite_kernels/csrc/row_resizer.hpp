// Rows of an RGB image, resized one at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "triangle_axis.hpp"

namespace benchsuite::resize {

constexpr int64_t kChannels = 3;

class RowResizer {
 public:
  // `step`: bytes a pixel of the result, 3 or 4 (of which the last means nothing); `reversed`: the
  // channels' order is turned round.
  RowResizer(int64_t width, int64_t new_width, int64_t step, bool reversed);

  // `target` has room for bytes() of them.
  void resize(const uint8_t* row, uint8_t* target);
  int64_t bytes() const { return step_ * new_width_ + 1; }

 private:
  int64_t width_, new_width_, step_;
  bool reversed_;
  TriangleAxis axis_;
  std::vector<int32_t> pixels_;
};

}  // namespace benchsuite::resize

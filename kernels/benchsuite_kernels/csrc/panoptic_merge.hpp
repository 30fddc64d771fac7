// Instances and a semantic map into one map; ops/panoptic_merge.py gives the rules.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

// An image's map while it is made: masks are offered best first.
class PanopticMap {
 public:
  PanopticMap(int64_t height, int64_t width) : height_(height), width_(width) {
    ids_.resize(height * width);
  }

  // Puts a mask on the free pixels; the number of its segment, or 0: it is empty, or better ones
  // cover more than `overlap` of it. `ends`: where its runs end, background first.
  int32_t offer(const std::vector<int64_t>& ends, double overlap);

  // Gives what is free to stuff: the class of each pixel in `semantic`, row by row, of 0 to
  // classes - 1, where 0 is no stuff and others need `least` pixels. `ids`: the map, row by row;
  // `stuff`: the number of each class's segment, or 0. False where a class is out of range.
  template <class Class>
  bool finish(const Class* semantic, int64_t classes, int64_t least, int32_t* ids, int32_t* stuff);

 private:
  int64_t height_, width_;
  std::vector<int32_t> ids_;  // column by column, as masks are
  int32_t segments_ = 0;
};

}  // namespace benchsuite

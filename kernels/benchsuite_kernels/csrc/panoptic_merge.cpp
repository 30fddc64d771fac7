#include "panoptic_merge.hpp"

#include <algorithm>

namespace benchsuite {

int32_t PanopticMap::offer(const std::vector<int64_t>& ends, double overlap) {
  int64_t area = 0, free = 0;
  for (size_t run = 1; run < ends.size(); run += 2) {
    area += ends[run] - ends[run - 1];
    for (int64_t pixel = ends[run - 1]; pixel < ends[run]; ++pixel) free += ids_[pixel] == 0;
  }
  if (!area || static_cast<double>(area - free) / static_cast<double>(area) > overlap) return 0;
  const int32_t number = ++segments_;
  for (size_t run = 1; run < ends.size(); run += 2)
    for (int64_t pixel = ends[run - 1]; pixel < ends[run]; ++pixel)
      ids_[pixel] = ids_[pixel] ? ids_[pixel] : number;
  return number;
}

template <class Class>
bool PanopticMap::finish(const Class* semantic, int64_t classes, int64_t least, int32_t* ids,
                         int32_t* stuff) {
  std::vector<int64_t> areas(classes, 0);
  bool in_range = true;
  // Columns become rows a few at a time, so that what is read stays at hand.
  constexpr int64_t kColumns = 16;
  for (int64_t first = 0; first < width_; first += kColumns)
    for (int64_t y = 0; y < height_; ++y)
      for (int64_t x = first; x < std::min(first + kColumns, width_); ++x) {
        const int32_t id = ids_[x * height_ + y];
        const auto label = static_cast<int64_t>(semantic[y * width_ + x]);
        ids[y * width_ + x] = id;
        if (label < 0 || label >= classes)
          in_range = false;
        else if (!id)
          ++areas[label];
      }
  if (!in_range) return false;
  std::fill_n(stuff, classes, 0);
  for (int64_t label = 1; label < classes; ++label)
    if (areas[label] && areas[label] >= least) stuff[label] = ++segments_;
  for (int64_t pixel = 0; pixel < height_ * width_; ++pixel)
    ids[pixel] = ids[pixel] ? ids[pixel] : stuff[semantic[pixel]];
  return true;
}

template bool PanopticMap::finish(const uint8_t*, int64_t, int64_t, int32_t*, int32_t*);
template bool PanopticMap::finish(const int32_t*, int64_t, int64_t, int32_t*, int32_t*);

}  // namespace benchsuite

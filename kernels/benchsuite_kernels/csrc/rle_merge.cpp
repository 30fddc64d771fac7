#include <algorithm>
#include <stdexcept>

#include "rle.hpp"

namespace benchsuite::rle {

std::string merge(const std::vector<std::string>& masks, int64_t height, int64_t width,
                  bool intersect) {
  if (masks.empty()) throw std::invalid_argument("there is no mask to merge");
  // Where a mask begins (even) and ends (odd): the pixel, twice.
  std::vector<int64_t> steps, runs;
  for (const std::string& counts : masks) {
    runs_of_image(counts, height, width, runs);
    int64_t position = 0;
    for (size_t run = 0; run < runs.size(); ++run) {
      if (run % 2 && runs[run]) {
        steps.push_back(2 * position);
        steps.push_back(2 * (position + runs[run]) + 1);
      }
      position += runs[run];
    }
  }
  std::sort(steps.begin(), steps.end());
  const int64_t needed = intersect ? static_cast<int64_t>(masks.size()) : 1;
  int64_t covering = 0;
  Changes merged;
  for (size_t at = 0; at < steps.size();) {
    const int64_t pixel = steps[at] / 2;
    const bool before = covering >= needed;
    for (; at < steps.size() && steps[at] / 2 == pixel; ++at) covering += steps[at] % 2 ? -1 : 1;
    if ((covering >= needed) != before) merged.toggle(pixel);
  }
  return merged.compress(height * width);
}

}  // namespace benchsuite::rle

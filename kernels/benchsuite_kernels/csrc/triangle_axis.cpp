#include "triangle_axis.hpp"

#include <algorithm>
#include <cmath>

namespace benchsuite::resize {

TriangleAxis triangle_axis(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double widened = std::max(scale, 1.0), narrowed = 1.0 / widened;
  std::vector<int64_t> first(to), count(to);
  for (int64_t x = 0; x < to; ++x) {
    const double centre = (static_cast<double>(x) + 0.5) * scale;
    first[x] = std::max(static_cast<int64_t>(centre - widened + 0.5), int64_t{0});
    count[x] = std::min(static_cast<int64_t>(centre + widened + 0.5), from) - first[x];
  }
  TriangleAxis found{*std::max_element(count.begin(), count.end()), std::move(first), {}};
  found.values.assign(to * found.taps, 0);
  std::vector<double> shares(found.taps);
  for (int64_t x = 0; x < to; ++x) {
    const double centre = (static_cast<double>(x) + 0.5) * scale;
    double total = 0;
    for (int64_t tap = 0; tap < count[x]; ++tap) {
      const double away =
          (static_cast<double>(tap + found.first[x]) - centre + 0.5) * narrowed;
      shares[tap] = std::max(1.0 - std::abs(away), 0.0);
      total += shares[tap];
    }
    for (int64_t tap = 0; tap < count[x]; ++tap) {
      const double share = total != 0 ? shares[tap] / total : shares[tap];
      found.values[x * found.taps + tap] =
          static_cast<int32_t>(0.5 + share * (int64_t{1} << kPrecision));
    }
  }
  return found;
}

}  // namespace benchsuite::resize

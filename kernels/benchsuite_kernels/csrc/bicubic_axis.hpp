// One axis of a heat map that is stretched by cubic convolution (Keys, 1981).
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace benchsuite {

constexpr int64_t kTaps = 4;
constexpr float kLongestSide = 65536;  // pixels of a stretched map
// What the weights below zero sum up to, at most: half-way between two cells.
constexpr float kOvershoot = 0.1875f;

class BicubicAxis {
 public:
  // Of `side` cells, to `pixels` ones. Pixel `i` is a sum over kTaps cells, of which the first is
  // `i`'s base; cells are counted from 2 before the map's first, as in a map that is padded by two
  // on either side with its outermost values.
  void place(int64_t side, int64_t pixels) {
    constexpr double kSharpness = -0.75;  // as in torch and OpenCV
    const auto near = [](double d) {
      return ((kSharpness + 2) * d - (kSharpness + 3)) * d * d + 1;
    };
    const auto far = [](double d) {
      return ((kSharpness * d - 5 * kSharpness) * d + 8 * kSharpness) * d - 4 * kSharpness;
    };
    weights_.resize(pixels);
    starts_.assign(side + 2, pixels);
    int64_t next = 0;
    for (int64_t i = 0; i < pixels; ++i) {
      const double centre = (static_cast<double>(i) + 0.5) * static_cast<double>(side) /
                                static_cast<double>(pixels) - 0.5;
      const double cell = std::floor(centre);
      const double after = centre - cell;
      weights_[i] = {static_cast<float>(far(centre - (cell - 1))), static_cast<float>(near(after)),
                     static_cast<float>(near(cell + 1 - centre)),
                     static_cast<float>(far(cell + 2 - centre))};
      for (const int64_t base = static_cast<int64_t>(cell) + 1; next <= base; ++next)
        starts_[next] = i;
    }
  }

  int64_t bases() const { return static_cast<int64_t>(starts_.size()) - 1; }
  // The pixels of a base are those from start(base) to before start(base + 1).
  int64_t start(int64_t base) const { return starts_[base]; }
  const std::array<float, kTaps>& weights(int64_t pixel) const { return weights_[pixel]; }

 private:
  std::vector<std::array<float, kTaps>> weights_;
  std::vector<int64_t> starts_;
};

}  // namespace benchsuite

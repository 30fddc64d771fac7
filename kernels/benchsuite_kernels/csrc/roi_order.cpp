#include "roi_order.hpp"

#include <algorithm>
#include <utility>

namespace benchsuite {
namespace {

constexpr float kTile = 8;  // features

// Every second bit, from bit 0.
uint64_t spread(uint32_t value) {
  uint64_t bits = value & 0xffff;
  bits = (bits | bits << 8) & 0x00ff00ff;
  bits = (bits | bits << 4) & 0x0f0f0f0f;
  bits = (bits | bits << 2) & 0x33333333;
  return (bits | bits << 1) & 0x55555555;
}

}  // namespace

std::vector<int64_t> roi_order(const std::vector<PyramidLevel>& levels, int64_t boxes,
                               const float* box, const int64_t* batch_index,
                               const int64_t* level) {
  std::vector<std::pair<uint64_t, int64_t>> keys(boxes);
  for (int64_t i = 0; i < boxes; ++i) {
    const float* corners = box + i * 4;
    const float scale = levels[level[i]].scale / 2;
    auto tile = [&](float low, float high) {
      const float centre = (low + high) * scale / kTile;
      return static_cast<uint32_t>(std::min(std::max(centre, 0.0f), 65535.0f));  // NaN to 0
    };
    const uint64_t map = static_cast<uint64_t>(level[i]) << 24 | (batch_index[i] & 0xffffff);
    keys[i] = {map << 32 | spread(tile(corners[1], corners[3])) << 1 |
                   spread(tile(corners[0], corners[2])),
               i};
  }
  std::sort(keys.begin(), keys.end());
  std::vector<int64_t> order(boxes);
  for (int64_t i = 0; i < boxes; ++i) order[i] = keys[i].second;
  return order;
}

}  // namespace benchsuite

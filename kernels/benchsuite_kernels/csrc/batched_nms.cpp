#include "batched_nms.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "clones.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kWorthThreads = 10000;  // boxes; fewer take less than waking a thread may

// A key whose ascending order is the scores' descending order, NaN first, -0 beside 0.
uint32_t descending_key(float score) {
  if (std::isnan(score)) return 0;
  if (score == 0) score = 0;
  uint32_t bits;
  std::memcpy(&bits, &score, sizeof bits);
  const uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

std::vector<int64_t> by_descending_score(const float* scores, int64_t count) {
  // Key and index in one integer: equal scores stay in the order of their indices.
  std::vector<uint64_t> keys(count);
  for (int64_t i = 0; i < count; ++i)
    keys[i] = uint64_t{descending_key(scores[i])} << 32 | static_cast<uint32_t>(i);
  std::sort(keys.begin(), keys.end());
  std::vector<int64_t> order(count);
  for (int64_t i = 0; i < count; ++i) order[i] = static_cast<int64_t>(keys[i] & 0xffffffffu);
  return order;
}

// The boxes of one group in descending order of score, one array a coordinate.
struct Group {
  std::vector<float> x1, y1, x2, y2, area;
  std::vector<int32_t> dropped;

  void resize(size_t size) {
    for (auto* column : {&x1, &y1, &x2, &y2, &area}) column->resize(size);
    dropped.assign(size, 0);
  }
};

// Drop what overlaps box `kept` among those after it.
BENCHSUITE_CLONES
void drop_overlapping(Group& group, int64_t kept, float threshold) {
  const int64_t size = static_cast<int64_t>(group.x1.size());
  const float* BENCHSUITE_RESTRICT x1 = group.x1.data();
  const float* BENCHSUITE_RESTRICT y1 = group.y1.data();
  const float* BENCHSUITE_RESTRICT x2 = group.x2.data();
  const float* BENCHSUITE_RESTRICT y2 = group.y2.data();
  const float* BENCHSUITE_RESTRICT area = group.area.data();
  int32_t* BENCHSUITE_RESTRICT dropped = group.dropped.data();
  const float left = x1[kept], top = y1[kept], right = x2[kept], bottom = y2[kept];
  const float own = area[kept];
  for (int64_t j = kept + 1; j < size; ++j) {
    const float ix1 = left < x1[j] ? x1[j] : left;
    const float iy1 = top < y1[j] ? y1[j] : top;
    const float ix2 = x2[j] < right ? x2[j] : right;
    const float iy2 = y2[j] < bottom ? y2[j] : bottom;
    const float width = 0.0f < ix2 - ix1 ? ix2 - ix1 : 0.0f;
    const float height = 0.0f < iy2 - iy1 ? iy2 - iy1 : 0.0f;
    const float common = width * height;
    dropped[j] |= common / (own + area[j] - common) > threshold ? -1 : 0;
  }
}

void suppress(Group& group, float threshold) {
  for (size_t i = 0; i < group.x1.size(); ++i)
    if (!group.dropped[i]) drop_overlapping(group, static_cast<int64_t>(i), threshold);
}

// The largest float that is not above a threshold: a float exceeds both or neither.
float not_above(double threshold) {
  const float nearest = static_cast<float>(threshold);
  return nearest > threshold ? std::nextafter(nearest, -std::numeric_limits<float>::infinity())
                             : nearest;
}

}  // namespace

std::vector<int64_t> batched_nms(const float* boxes, const float* scores, const int64_t* groups,
                                 int64_t count, double iou_threshold, int threads) {
  const std::vector<int64_t> order = by_descending_score(scores, count);
  // Places in `order`, those of a group together and still in descending order of score.
  std::vector<int64_t> places(count);
  std::iota(places.begin(), places.end(), 0);
  std::stable_sort(places.begin(), places.end(), [&](int64_t a, int64_t b) {
    return groups[order[a]] < groups[order[b]];
  });
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < count; ++i)
    if (i == 0 || groups[order[places[i]]] != groups[order[places[i - 1]]]) starts.push_back(i);
  const int64_t n_groups = static_cast<int64_t>(starts.size());
  starts.push_back(count);

  std::vector<char> kept(count, 0);
  std::vector<Group> scratch(std::max(threads, 1));
  const float threshold = not_above(iou_threshold);
  for_each_item(n_groups, 1, count < kWorthThreads ? 1 : threads, [&](int64_t index, int worker) {
    Group& group = scratch[worker];
    const int64_t start = starts[index], size = starts[index + 1] - start;
    group.resize(size);
    for (int64_t i = 0; i < size; ++i) {
      const float* box = boxes + order[places[start + i]] * 4;
      group.x1[i] = box[0];
      group.y1[i] = box[1];
      group.x2[i] = box[2];
      group.y2[i] = box[3];
      group.area[i] = (box[2] - box[0]) * (box[3] - box[1]);
    }
    suppress(group, threshold);
    for (int64_t i = 0; i < size; ++i) kept[places[start + i]] = !group.dropped[i];
  });

  std::vector<int64_t> result;
  for (int64_t place = 0; place < count; ++place)
    if (kept[place]) result.push_back(order[place]);
  return result;
}

}  // namespace benchsuite

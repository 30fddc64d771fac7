#include "rotated_iou.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "parallel.hpp"

namespace benchsuite::rotated {
namespace {

constexpr int64_t kDetectionsPerBlock = 256;

struct Point {
  double x, y;
};

struct Pair {
  int64_t truth;
  double value;
};

// Signed area between an edge and the x axis, the edge clipped to the box round the origin.
inline double below_edge(Point from, Point to, double half_width, double half_height) {
  const double left = std::min(std::max(from.x, -half_width), half_width);
  const double right = std::min(std::max(to.x, -half_width), half_width);
  if (left == right) return 0;
  const double run = to.x - from.x, rise = to.y - from.y;
  const double first = from.y + (left - from.x) / run * rise;
  const double last = from.y + (right - from.x) / run * rise;
  const double low = std::min(first, last), high = std::max(first, last);
  const double top = half_height, bottom = -half_height;
  const double inner_low = std::min(std::max(low, bottom), top);
  if (!(high > low)) return (right - left) * inner_low;
  const double inner_high = std::min(std::max(high, bottom), top);
  const double beneath = std::min(high, bottom) - std::min(low, bottom);
  const double above = std::max(high, top) - std::max(low, top);
  const double inside = (inner_high - inner_low) * (inner_high + inner_low) / 2;
  return (right - left) * ((above * top - beneath * half_height + inside) / (high - low));
}

inline bool may_overlap(const Box& a, const Box& b) {
  return !(std::abs(b.x - a.x) > a.reach_x + b.reach_x ||
           std::abs(b.y - a.y) > a.reach_y + b.reach_y) &&
         a.half_width > 0 && a.half_height > 0 && b.half_width > 0 && b.half_height > 0;
}

double overlap(const Box& detection, const Box& truth, bool crowd) {
  const double offset_x = truth.x - detection.x, offset_y = truth.y - detection.y;
  const double centre_x = detection.cosine * offset_x - detection.sine * offset_y;
  const double centre_y = detection.sine * offset_x + detection.cosine * offset_y;
  const double cosine = detection.cosine * truth.cosine + detection.sine * truth.sine;
  const double sine = detection.cosine * truth.sine - detection.sine * truth.cosine;
  const double along_x = cosine * truth.half_width, along_y = -(sine * truth.half_width);
  const double down_x = sine * truth.half_height, down_y = cosine * truth.half_height;
  const Point corners[4] = {
      {centre_x - along_x - down_x, centre_y - along_y - down_y},
      {centre_x + along_x - down_x, centre_y + along_y - down_y},
      {centre_x + along_x + down_x, centre_y + along_y + down_y},
      {centre_x - along_x + down_x, centre_y - along_y + down_y},
  };
  double total = 0;
  for (int i = 0; i < 4; ++i)
    total += below_edge(corners[i], corners[(i + 1) % 4], detection.half_width,
                        detection.half_height);
  const double area = 4 * (detection.half_width * detection.half_height);
  const double truth_area = 4 * (truth.half_width * truth.half_height);
  const double shared = std::min(std::abs(total), std::min(area, truth_area));
  return shared / (crowd ? area : area + truth_area - shared);
}

}  // namespace

Pairs overlapping(const Sides& sides, double least, int threads) {
  Pairs pairs;
  pairs.starts.assign(sides.detection_count + 1, 0);
  const int64_t blocks = (sides.detection_count + kDetectionsPerBlock - 1) / kDetectionsPerBlock;
  std::vector<std::vector<Pair>> found(blocks);
  for_each_item(blocks, 1, threads, [&](int64_t block, int) {
    const int64_t end = std::min((block + 1) * kDetectionsPerBlock, sides.detection_count);
    for (int64_t i = block * kDetectionsPerBlock; i < end; ++i) {
      const size_t before = found[block].size();
      for (int64_t place = sides.first[i]; place < sides.stop[i]; ++place) {
        const int64_t truth = sides.order[place];
        if (!may_overlap(sides.detections[i], sides.truths[truth])) continue;
        const double value = overlap(sides.detections[i], sides.truths[truth], sides.crowd[truth]);
        if (value >= least) found[block].push_back({truth, value});
      }
      pairs.starts[i + 1] = static_cast<int64_t>(found[block].size() - before);
    }
  });
  std::partial_sum(pairs.starts.begin(), pairs.starts.end(), pairs.starts.begin());
  pairs.truths.reserve(pairs.starts.back());
  pairs.values.reserve(pairs.starts.back());
  for (const auto& part : found)
    for (const Pair& pair : part) {
      pairs.truths.push_back(pair.truth);
      pairs.values.push_back(pair.value);
    }
  return pairs;
}

}  // namespace benchsuite::rotated

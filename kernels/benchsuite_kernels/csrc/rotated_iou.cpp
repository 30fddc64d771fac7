#include "rotated_iou.hpp"

#include <algorithm>
#include <numeric>

#include "parallel.hpp"

namespace benchsuite::rotated {
namespace {

constexpr int64_t kDetectionsPerBlock = 256;

struct Pair {
  int64_t truth;
  double value;
};

double overlap(const Box& detection, const Box& truth, bool crowd) {
  const double shared = shared_area(detection, truth);
  return shared / (crowd ? area(detection) : area(detection) + area(truth) - shared);
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

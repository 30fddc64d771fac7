#include "overlapping_pairs.hpp"

#include <algorithm>
#include <memory>
#include <numeric>

#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kBucketsPerWorker = 8;

struct Pair {
  int32_t detection, truth;
  double value;
};

void find_pairs(const Group& group, double least, GroupOverlaps& overlaps,
                std::vector<double>& values, std::vector<Pair>& found) {
  if (group.truth_count == 0) return;
  overlaps.start(group);
  values.resize(std::max<size_t>(values.size(), GroupOverlaps::room(group.truth_count)));
  for (int64_t rank = 0; rank < group.detection_count; ++rank) {
    if (!overlaps.compare(rank, values.data())) continue;
    for (int64_t i = 0; i < group.truth_count; ++i)
      if (values[i] >= least) found.push_back({group.detections[rank], group.truths[i], values[i]});
  }
}

}  // namespace

OverlappingPairs overlapping_pairs(const GroupOrder& order, int64_t detections,
                                   const Overlaps& overlaps, const bool* crowd, double least,
                                   int threads) {
  std::vector<std::vector<Pair>> found(order.buckets());
  std::vector<std::unique_ptr<GroupOverlaps>> workers(std::max(threads, 1));
  std::vector<std::vector<double>> values(workers.size());
  for_each_item(order.buckets(), kBucketsPerWorker, threads, [&](int64_t bucket, int worker) {
    if (!workers[worker]) workers[worker] = overlaps.for_worker(crowd, least);
    workers[worker]->expect(order.detections_of(bucket), order.truths_of(bucket));
    order.for_each_group(bucket, [&](const Group& group) {
      find_pairs(group, least, *workers[worker], values[worker], found[bucket]);
    });
  });

  OverlappingPairs pairs;
  pairs.starts.assign(detections + 1, 0);
  for (const auto& part : found)
    for (const Pair& pair : part) ++pairs.starts[pair.detection + 1];
  std::partial_sum(pairs.starts.begin(), pairs.starts.end(), pairs.starts.begin());
  pairs.truths.resize(pairs.starts.back());
  pairs.values.resize(pairs.starts.back());
  // A detection's pairs lie together in one bucket, its truths ascending.
  for_each_item(order.buckets(), kBucketsPerWorker, threads, [&](int64_t bucket, int) {
    int64_t place = 0;
    for (size_t i = 0; i < found[bucket].size(); ++i, ++place) {
      const Pair& pair = found[bucket][i];
      if (i == 0 || pair.detection != found[bucket][i - 1].detection)
        place = pairs.starts[pair.detection];
      pairs.truths[place] = pair.truth;
      pairs.values[place] = pair.value;
    }
  });
  return pairs;
}

}  // namespace benchsuite

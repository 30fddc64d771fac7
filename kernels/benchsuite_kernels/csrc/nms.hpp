// Greedy suppression within groups, for any kind of box.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "nms_candidates.hpp"
#include "parallel.hpp"

namespace benchsuite {

// The largest float that is not above a threshold: a float exceeds both or neither.
inline float not_above(double threshold) {
  const float nearest = static_cast<float>(threshold);
  return nearest > threshold ? std::nextafter(nearest, -std::numeric_limits<float>::infinity())
                             : nearest;
}

// The indices of the kept candidates by descending score, `limit` at most.
//
// Kept holds what stays of one group: start(size) forgets all and makes room, drops(index) tells
// whether one of them overlaps a candidate too much, add(index) puts it beside them. Each worker
// has a copy of `none`.
template <class Kept>
std::vector<int64_t> keep_best(const NmsCandidates& candidates, int64_t limit, int threads,
                               const Kept& none) {
  // More of one group than stay of all can stay of none.
  const int64_t most = std::min<int64_t>(limit, static_cast<int64_t>(candidates.order.size()));
  std::vector<char> stays(candidates.order.size(), 0);
  std::vector<Kept> workers(std::max(threads, 1), none);
  for_each_item(candidates.groups(), 1, threads, [&](int64_t group, int worker) {
    Kept& kept = workers[worker];
    const int64_t room = std::min(most, candidates.size_of(group));
    kept.start(room);
    int64_t count = 0;
    const int64_t end = candidates.starts[group + 1];
    for (int64_t i = candidates.starts[group]; i < end && count < room; ++i) {
      const uint32_t place = candidates.places[i];
      const int64_t index = candidates.order[place];
      if (kept.drops(index)) continue;
      kept.add(index);
      stays[place] = 1;
      ++count;
    }
  });
  std::vector<int64_t> result;
  for (size_t place = 0; place < stays.size(); ++place) {
    if (static_cast<int64_t>(result.size()) == most) break;
    if (stays[place]) result.push_back(candidates.order[place]);
  }
  return result;
}

// `keep_best` of each image of a batch. index: images x limit, -1 behind the last; counts: images.
template <class Suppress>
void keep_best_per_image(int64_t images, int64_t limit, int threads, int64_t* index,
                         int64_t* counts, const Suppress& suppress) {
  for_each_item(images, 1, threads, [&](int64_t image, int) {
    const std::vector<int64_t> kept = suppress(image, images > 1 ? 1 : threads);
    int64_t* const row = index + image * limit;
    std::fill(std::copy(kept.begin(), kept.end(), row), row + limit, -1);
    counts[image] = static_cast<int64_t>(kept.size());
  });
}

}  // namespace benchsuite

// The order in which suppression looks at candidates.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

struct NmsCandidates {
  std::vector<uint32_t> order;   // indices by descending score, equal scores by ascending index
  std::vector<uint32_t> places;  // in `order`; those of a group together, ascending
  std::vector<int64_t> starts;   // of each group in `places`, and the end of the last

  int64_t groups() const { return static_cast<int64_t>(starts.size()) - 1; }
  int64_t size_of(int64_t group) const { return starts[group + 1] - starts[group]; }
};

// NaN counts as the highest score. Where `absent` is set, a score of minus infinity is no candidate.
NmsCandidates nms_candidates(const float* scores, const int64_t* groups, int64_t count,
                             bool absent);

}  // namespace benchsuite

// How well proposals cover truths; columns/proposal_coverage.py describes it.
#pragma once

#include <cstdint>

#include "group_order.hpp"

namespace benchsuite {

struct ProposalColumns {
  const float* boxes;        // rows of x1, y1, x2, y2
  const float* truth_boxes;  // likewise
  const bool* counted;       // subsets x truths
  int64_t subsets, truths;
};

// `coverage`: limits x subsets x truths. `order` must count as many proposals as the largest limit.
void proposal_coverage(const GroupOrder& order, const ProposalColumns& columns,
                       const int64_t* limits, int64_t limit_count, int threads, float* coverage);

}  // namespace benchsuite

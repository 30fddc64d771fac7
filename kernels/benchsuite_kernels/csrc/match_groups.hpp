// The groups that detections and truths are matched within; columns/match_groups.py describes them.
#pragma once

#include <cstdint>

namespace benchsuite {

struct Ids {
  const int64_t* first;
  int64_t count;
};

// `categories`: null, where all rows are of one category. `image_ids` and `category_ids` ascend.
void match_groups(const Ids& images, const int64_t* categories, const Ids& image_ids,
                  const Ids& category_ids, int threads, int64_t* groups);

// The rows by ascending group, stable. Throws std::length_error beyond 2**31 - 1 rows.
void order_by_group(const Ids& groups, int threads, int64_t* order);

}  // namespace benchsuite

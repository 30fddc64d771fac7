// The order in which a match table's rows are counted; columns/match_order.py describes it.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

// Columns of a match table, one value a row.
struct MatchKeys {
  int64_t rows;
  const int64_t* images;
  const int64_t* categories;
  const uint8_t* is_truth;
  const int32_t* ranks;
  const double* scores;

  // Whether two rows of one category share image and score.
  bool tied(int64_t a, int64_t b) const;
};

// Rows, by category; `starts` is where each category begins, and one more for the end.
struct RowsByCategory {
  std::vector<int64_t> starts, rows;
};

struct MatchOrder {
  // Within a category: by descending score (NaN last), image, rank, row.
  RowsByCategory detections;
  // Within a category: by image, row.
  RowsByCategory truths;
};

// `category_ids` ascend. Throws std::invalid_argument where a row's category is not among them.
MatchOrder match_order(const MatchKeys& keys, const int64_t* category_ids, int64_t categories,
                       int threads);

}  // namespace benchsuite

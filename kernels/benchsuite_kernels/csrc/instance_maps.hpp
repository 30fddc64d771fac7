// Maps whose pixels hold a number each: the regions of equal numbers, and masks laid over them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rle.hpp"

namespace benchsuite::instance_maps {

// A map as stretches of equal numbers down its columns, which is how the runs of a mask go.
class ColumnRuns {
 public:
  // `map`: height x width numbers, row by row. Both sides are at least 1.
  ColumnRuns(const uint16_t* map, int64_t height, int64_t width);

  int64_t height() const { return height_; }
  int64_t width() const { return static_cast<int64_t>(first_.size()) - 1; }

  // Calls visit(value, start, stop) for the stretches of pixels [start, stop), all within one
  // column, that make up [start, stop) of the image read column by column.
  template <class Visit>
  void visit(int64_t start, int64_t stop, const Visit& visit) const;

 private:
  int64_t height_;
  std::vector<int64_t> first_;    // by column, and one more: where its stretches begin
  std::vector<int32_t> rows_;     // the row in which a stretch begins; ascending in a column
  std::vector<uint16_t> values_;  // its number
};

struct Region {
  uint16_t value;
  int64_t area;
  rle::Box box;
  std::string counts;
};

// The regions of all numbers from `smallest` on, by ascending number.
std::vector<Region> regions(const ColumnRuns& map, uint16_t smallest);

struct Overlaps {
  std::vector<int64_t> starts;  // by mask, and one more: where its rows begin
  std::vector<int64_t> values;  // numbers below the mask, ascending
  std::vector<int64_t> pixels;  // how many pixels of each
};

// Throws std::invalid_argument, which names the mask, where one is malformed or of another size.
Overlaps overlaps(const ColumnRuns& map, const std::vector<std::string_view>& masks);

}  // namespace benchsuite::instance_maps

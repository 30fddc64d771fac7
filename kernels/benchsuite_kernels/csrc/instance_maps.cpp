#include "instance_maps.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>

namespace benchsuite::instance_maps {
namespace {

constexpr size_t kNumbers = size_t{1} << 16;
constexpr int64_t kPixelsAWord = 4;

// Columns in which two neighbouring rows differ, appended to `columns`.
void differences(const uint16_t* above, const uint16_t* below, int64_t width,
                 std::vector<int32_t>& columns) {
  int64_t x = 0;
  for (; x + kPixelsAWord <= width; x += kPixelsAWord) {
    uint64_t a, b;
    std::memcpy(&a, above + x, sizeof a);
    std::memcpy(&b, below + x, sizeof b);
    if (a == b) continue;
    for (int64_t i = x; i < x + kPixelsAWord; ++i)
      if (above[i] != below[i]) columns.push_back(static_cast<int32_t>(i));
  }
  for (; x < width; ++x)
    if (above[x] != below[x]) columns.push_back(static_cast<int32_t>(x));
}

}  // namespace

ColumnRuns::ColumnRuns(const uint16_t* map, int64_t height, int64_t width)
    : height_(height), first_(width + 1, 0) {
  // Rows lie together in memory: find where a stretch begins row by row, then sort by column,
  // which keeps the rows in order. A stretch begins at the top of every column.
  std::vector<int32_t> columns(width);
  std::iota(columns.begin(), columns.end(), 0);
  std::vector<size_t> row_end(height);
  row_end[0] = columns.size();
  for (int64_t y = 1; y < height; ++y) {
    differences(map + (y - 1) * width, map + y * width, width, columns);
    row_end[y] = columns.size();
  }
  for (const int32_t x : columns) ++first_[x + 1];
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
  rows_.resize(columns.size());
  values_.resize(columns.size());
  std::vector<int64_t> cursor(first_.begin(), first_.end() - 1);
  size_t at = 0;
  for (int64_t y = 0; y < height; ++y) {
    for (; at < row_end[y]; ++at) {
      const int32_t x = columns[at];
      rows_[cursor[x]] = static_cast<int32_t>(y);
      values_[cursor[x]++] = map[y * width + x];
    }
  }
}

template <class Visit>
void ColumnRuns::visit(int64_t start, int64_t stop, const Visit& visit) const {
  while (start < stop) {
    const int64_t x = start / height_, top = x * height_;
    const int64_t end = std::min(stop, top + height_);
    const auto column_end = rows_.begin() + first_[x + 1];
    // The last stretch that begins at or above the start; one begins at the top.
    auto row = std::upper_bound(rows_.begin() + first_[x], column_end,
                                static_cast<int32_t>(start - top)) - 1;
    while (start < end) {
      const uint16_t value = values_[row - rows_.begin()];
      ++row;
      const int64_t next = row == column_end ? end : std::min<int64_t>(end, top + *row);
      visit(value, start, next);
      start = next;
    }
  }
}

std::vector<Region> regions(const ColumnRuns& map, uint16_t smallest) {
  struct Growing {
    uint16_t value;
    int64_t area, left, right, top, bottom;
    rle::Changes changes;
  };
  const int64_t height = map.height(), pixels = height * map.width();
  std::vector<int32_t> place(kNumbers, -1);
  std::vector<Growing> found;
  map.visit(0, pixels, [&](uint16_t value, int64_t start, int64_t stop) {
    if (value < smallest) return;
    const int64_t x = start / height, first = start - x * height, last = stop - 1 - x * height;
    if (place[value] < 0) {
      place[value] = static_cast<int32_t>(found.size());
      found.push_back({value, 0, x, x, first, last, {}});
    }
    Growing& region = found[place[value]];
    region.area += stop - start;
    region.right = x;
    region.top = std::min(region.top, first);
    region.bottom = std::max(region.bottom, last);
    region.changes.toggle(start);
    region.changes.toggle(stop);
  });
  std::sort(found.begin(), found.end(),
            [](const Growing& a, const Growing& b) { return a.value < b.value; });
  std::vector<Region> listed;
  listed.reserve(found.size());
  for (const Growing& each : found)
    listed.push_back({each.value, each.area,
                      {each.left, each.top, each.right - each.left + 1, each.bottom - each.top + 1},
                      each.changes.compress(pixels)});
  return listed;
}

Overlaps overlaps(const ColumnRuns& map, const std::vector<std::string_view>& masks) {
  Overlaps found;
  found.starts.push_back(0);
  std::vector<int64_t> counted(kNumbers, 0);
  std::vector<uint16_t> present;
  for (size_t mask = 0; mask < masks.size(); ++mask) {
    std::vector<int64_t> runs;
    try {
      runs = rle::runs_of_image(masks[mask], map.height(), map.width());
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("mask " + std::to_string(mask) + ": " + error.what());
    }
    int64_t start = 0;
    for (size_t run = 0; run < runs.size(); ++run) {
      const int64_t stop = start + runs[run];
      if (run % 2)
        map.visit(start, stop, [&](uint16_t value, int64_t from, int64_t to) {
          if (counted[value] == 0) present.push_back(value);
          counted[value] += to - from;
        });
      start = stop;
    }
    std::sort(present.begin(), present.end());
    for (const uint16_t value : present) {
      found.values.push_back(value);
      found.pixels.push_back(counted[value]);
      counted[value] = 0;
    }
    present.clear();
    found.starts.push_back(static_cast<int64_t>(found.values.size()));
  }
  return found;
}

}  // namespace benchsuite::instance_maps

// The boundary is walked on a grid five times as fine as the pixels. Where it steps from fine column
// 5 c + 2 to 5 c + 3 or back it crosses the middle of pixel column c, and the mask changes there
// between inside and outside, at the upper of the two fine rows. Only these steps are computed, not
// the whole walk. Numbers are truncated towards zero as pycocotools' casts do.
#include "rle_polygons.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "rle.hpp"

namespace benchsuite::rle {
namespace {

constexpr int64_t kFine = 5, kMiddle = 2;

int64_t rounded(double value) { return static_cast<int64_t>(value + .5); }

class Rasteriser {
 public:
  Rasteriser(int64_t height, int64_t width) : height_(height), width_(width) {}

  // The places where the mask of one polygon changes, ascending; two at one place are none.
  const std::vector<int64_t>& changes(const double* points, int64_t corners) {
    found_.clear();
    starts_.assign(width_ + 1, 0);
    int64_t x = rounded(kFine * points[0]), y = rounded(kFine * points[1]);
    for (int64_t i = 1; i <= corners; ++i) {
      const double* next = points + 2 * (i < corners ? i : 0);
      const int64_t x_next = rounded(kFine * next[0]), y_next = rounded(kFine * next[1]);
      edge(x, y, x_next, y_next);
      x = x_next;
      y = y_next;
    }
    sort();
    return sorted_;
  }

 private:
  void edge(int64_t x, int64_t y, int64_t x_end, int64_t y_end) {
    const int64_t across = std::abs(x_end - x), down = std::abs(y_end - y);
    const bool flat = across >= down;
    if (flat ? x > x_end : y > y_end) {
      std::swap(x, x_end);
      std::swap(y, y_end);
    }
    // Pixel columns whose middle lies between the ends.
    const int64_t low = std::min(x, x_end), high = std::max(x, x_end);
    const int64_t first = low <= kMiddle ? 0 : (low - kMiddle + kFine - 1) / kFine;
    const int64_t last = high <= kMiddle ? -1 : std::min((high - kMiddle - 1) / kFine, width_ - 1);
    if (first > last) return;
    if (flat) {
      const double slope = static_cast<double>(y_end - y) / static_cast<double>(across);
      const auto row = [&](int64_t step) {
        return static_cast<int64_t>(y + slope * static_cast<double>(step) + .5);
      };
      for (int64_t column = first; column <= last; ++column) {
        const int64_t step = kFine * column + kMiddle - x;
        change(column, std::min(row(step), row(step + 1)));
      }
      return;
    }
    const double slope = static_cast<double>(x_end - x) / static_cast<double>(down);
    const auto fine_column = [&](int64_t step) {
      return static_cast<int64_t>(x + slope * static_cast<double>(step) + .5);
    };
    const bool rightward = x_end > x;
    for (int64_t column = first; column <= last; ++column) {
      const int64_t middle = kFine * column + kMiddle;
      // The first step beyond the middle: about where the line is halfway, then exactly.
      const auto beyond = [&](int64_t step) { return (fine_column(step) > middle) == rightward; };
      int64_t step = static_cast<int64_t>((static_cast<double>(middle - x) + .5) / slope);
      step = std::clamp<int64_t>(step, 1, down);
      while (step > 1 && beyond(step - 1)) --step;
      while (step < down && !beyond(step)) ++step;
      change(column, y + step - 1);
    }
  }

  void change(int64_t column, int64_t fine_row) {
    const int64_t row =
        fine_row <= kMiddle ? 0 : std::min((fine_row - kMiddle + kFine - 1) / kFine, height_);
    found_.push_back({column, row});
    ++starts_[column + 1];
  }

  // Column by column, of which each has few changes.
  void sort() {
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    sorted_.resize(found_.size());
    for (const auto& [column, row] : found_) sorted_[starts_[column]++] = column * height_ + row;
    // Each start has moved on to the end of its column.
    int64_t begin = 0, kept = 0;
    for (int64_t column = 0; column < width_; ++column) {
      const int64_t end = starts_[column];
      std::sort(sorted_.begin() + begin, sorted_.begin() + end);
      for (; begin < end; ++begin) {
        if (kept && sorted_[kept - 1] == sorted_[begin])
          --kept;
        else
          sorted_[kept++] = sorted_[begin];
      }
    }
    sorted_.resize(kept);
  }

  struct Change {
    int64_t column, row;
  };

  int64_t height_, width_;
  std::vector<Change> found_;
  std::vector<int64_t> starts_;  // by column
  std::vector<int64_t> sorted_;
};

}  // namespace

void draw_polygons(const double* points, const int32_t* numbers, int64_t polygons, int64_t height,
                   int64_t width, Changes& united) {
  Rasteriser rasteriser(height, width);
  united.clear();
  if (polygons == 1) {
    for (const int64_t place : rasteriser.changes(points, numbers[0] / 2)) united.toggle(place);
    return;
  }
  // Where each polygon begins (+1) and ends (-1) to cover the pixels.
  std::vector<std::pair<int64_t, int>> steps;
  for (int64_t i = 0; i < polygons; ++i) {
    int step = 1;
    for (const int64_t place : rasteriser.changes(points, numbers[i] / 2)) {
      steps.emplace_back(place, step);
      step = -step;
    }
    points += numbers[i];
  }
  std::sort(steps.begin(), steps.end());
  int covering = 0;
  for (size_t at = 0; at < steps.size();) {
    const int64_t place = steps[at].first;
    const bool before = covering > 0;
    for (; at < steps.size() && steps[at].first == place; ++at) covering += steps[at].second;
    if ((covering > 0) != before) united.toggle(place);
  }
}

std::string from_polygons(const double* points, const int32_t* numbers, int64_t polygons,
                          int64_t height, int64_t width) {
  Changes united;
  draw_polygons(points, numbers, polygons, height, width, united);
  return united.compress(height * width);
}

}  // namespace benchsuite::rle

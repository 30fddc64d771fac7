#include <algorithm>
#include <cmath>

#include "clones.hpp"
#include "label_maps.hpp"
#include "row_changes.hpp"

namespace benchsuite::label_maps {
namespace {

using Class = uint16_t;

constexpr Class kInside = static_cast<Class>(kNone);
constexpr Class kNoClass = static_cast<Class>(kMostClasses);

// Counts for each column the rows in succession, up to this one, that are of one class there and
// have it `inner` enough to both sides.
BENCHSUITE_CLONES
void raise_levels(const uint8_t* BENCHSUITE_RESTRICT inner, const Class* BENCHSUITE_RESTRICT row,
                  const Class* BENCHSUITE_RESTRICT above, int32_t* BENCHSUITE_RESTRICT levels,
                  int64_t width) {
  for (int64_t x = 0; x < width; ++x) {
    const int32_t level = row[x] == above[x] ? levels[x] : 0;
    levels[x] = inner[x] ? level + 1 : 0;
  }
}

BENCHSUITE_CLONES
void mark_inside(const Class* BENCHSUITE_RESTRICT row, const int32_t* BENCHSUITE_RESTRICT levels,
                 int32_t enough, Class no_class, Class* BENCHSUITE_RESTRICT marked, int64_t width) {
  for (int64_t x = 0; x < width; ++x) {
    const Class inside = levels[x] >= enough ? kInside : row[x];
    marked[x] = row[x] == kNoClass ? no_class : inside;
  }
}

// The regions of the classes of a map, and their boundaries.
class Regions {
 public:
  // Afterwards row(y) has a class at the boundaries of its regions, kInside elsewhere, and
  // `no_class` where there is none.
  void read(const png::Pixels& map, const Classes& classes, int64_t item, int64_t distance,
            Class no_class) {
    const int64_t width = map.width;
    width_ = static_cast<size_t>(width);
    classes_.resize(width_ * static_cast<size_t>(map.height));
    marked_.resize(classes_.size());
    levels_.assign(width_, 0);
    inner_.resize(width_);
    changes_.resize(width_ + 1);
    const auto enough = static_cast<int32_t>(2 * distance + 1);
    for (int64_t y = 0; y < map.height; ++y) {
      Class* const row = classes_.data() + static_cast<size_t>(y) * width_;
      read_row(map, y, classes, item, distance, row);
      raise_levels(inner_.data(), row, y > 0 ? row - width_ : row, levels_.data(), width);
      // A square is known when its last row is.
      if (y >= distance) mark(y - distance, enough, no_class);
    }
    // Squares that reach below the image are cut by its end.
    std::fill(levels_.begin(), levels_.end(), 0);
    for (int64_t y = std::max<int64_t>(0, map.height - distance); y < map.height; ++y)
      mark(y, enough, no_class);
  }

  const Class* row(int64_t y) const { return marked_.data() + static_cast<size_t>(y) * width_; }

 private:
  // One row's classes, and which of its pixels have theirs for `distance` pixels to both sides.
  void read_row(const png::Pixels& map, int64_t y, const Classes& classes, int64_t item,
                int64_t distance, Class* row) {
    const uint8_t* const pixels = map.row(y);
    find_changes(pixels, map.width, map.bytes, changes_.data());
    std::fill(inner_.begin(), inner_.end(), uint8_t{0});
    const auto end_region = [&](int64_t start, int64_t stop) {
      if (stop - start > 2 * distance)
        std::fill(inner_.begin() + start + distance, inner_.begin() + stop - distance, uint8_t{1});
    };
    int64_t region = 0;
    const int32_t* change = changes_.data();
    for (int64_t x = 0; x < map.width; x = *change++) {
      const Class found = class_of(png::number(pixels + x * map.bytes, map.bytes), classes, item);
      std::fill(row + x, row + *change, found);
      // Different numbers may be of one class, and one region.
      if (x > 0 && row[x - 1] != found) {
        end_region(region, x);
        region = x;
      }
    }
    end_region(region, map.width);
  }

  static Class class_of(uint32_t number, const Classes& classes, int64_t item) {
    const int64_t place = classes.shared ? 0 : item;
    const int64_t* const first = classes.numbers + classes.starts[place];
    const int64_t* const last = classes.numbers + classes.starts[place + 1];
    const int64_t* const found = std::lower_bound(first, last, int64_t{number});
    if (found == last || *found != number) return kNoClass;
    return static_cast<Class>(classes.classes[found - classes.numbers]);
  }

  void mark(int64_t y, int32_t enough, Class no_class) {
    const size_t start = static_cast<size_t>(y) * width_;
    mark_inside(classes_.data() + start, levels_.data(), enough, no_class, marked_.data() + start,
                static_cast<int64_t>(width_));
  }

  size_t width_ = 0;
  std::vector<Class> classes_, marked_;
  std::vector<int32_t> levels_, changes_;
  std::vector<uint8_t> inner_;
};

// What a worker keeps from item to item.
struct State {
  Regions first, second;
  PairCounter counter;
};

void count_row(const Class* a, const Class* b, int64_t width, PairCounter& counter) {
  for (int64_t x = 0; x < width;) {
    const int64_t start = x;
    for (++x; x < width && a[x] == a[start] && b[x] == b[start];) ++x;
    if (a[start] != kNoClass && (a[start] != kInside || b[start] != kInside))
      counter.add(a[start], b[start], x - start);
  }
}

}  // namespace

std::vector<std::vector<Pair>> count_boundary_pairs(const Maps& first, const Maps& second,
                                                    const Classes& first_classes,
                                                    const Classes& second_classes, double ratio,
                                                    int threads, Failure& failure) {
  std::vector<std::vector<Pair>> counted(first.sources.size());
  for_each_group<State>(
      {first}, second, threads, failure,
      [&](int64_t item, State& state, const std::vector<png::Pixels>& maps) {
        const png::Pixels &a = maps[0], &b = maps[1];
        const auto squares = static_cast<double>(a.width * a.width + a.height * a.height);
        const double distance = std::nearbyint(ratio * std::sqrt(squares));
        const auto pixels =
            static_cast<int64_t>(std::min(std::max(distance, 1.0), double(INT32_MAX / 4)));
        state.first.read(a, first_classes, item, pixels, kNoClass);
        state.second.read(b, second_classes, item, pixels, kInside);
        for (int64_t y = 0; y < a.height; ++y)
          count_row(state.first.row(y), state.second.row(y), a.width, state.counter);
        counted[static_cast<size_t>(item)] = state.counter.take();
      });
  return counted;
}

}  // namespace benchsuite::label_maps

// Many masks at once: their compressed counts lie in one buffer, one after the other.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace benchsuite::rle {

// Of several malformed masks the first is named.
struct BadMask : std::invalid_argument {
  BadMask(int64_t row, const std::string& problem) : std::invalid_argument(problem), row(row) {}
  int64_t row;
};

struct Masks {
  std::string_view counts;
  const int64_t* offsets;  // those of mask i are counts[offsets[i], offsets[i + 1])
  const int64_t* sizes;    // height and width of each mask's image
  int64_t number;

  std::string_view operator[](int64_t row) const {
    return counts.substr(offsets[row], offsets[row + 1] - offsets[row]);
  }
};

// Pixels inside each mask. `areas`: one a mask.
void areas(const Masks& masks, int threads, int64_t* areas);
// The same, the masks checked against their images' sizes.
void validate(const Masks& masks, int threads, int64_t* areas);
// The tight boxes. `boxes`: x, y, width, height of each mask.
void boxes(const Masks& masks, int threads, double* boxes);

// Compressed counts that are being made, mask after mask.
struct Made {
  std::vector<std::string> parts;  // of kMasksAPart masks each
  std::vector<int64_t> lengths;    // one a mask
};

constexpr int64_t kMasksAPart = 64;

// Polygons as the scanner has them: mask i is of the next polygons[i] polygons, and a polygon of
// the next numbers[j] points; `first_polygon` and `first_point` say where those of each mask begin.
struct Polygons {
  const double* points;
  const int32_t* numbers;
  const int32_t* polygons;
  const int64_t* first_polygon;
  const int64_t* first_point;
  const int64_t* sizes;
  int64_t masks;
};

Made from_polygons(const Polygons& polygons, int threads);

// Mask i is of the runs from first_run[i] to first_run[i + 1].
Made from_runs(const int64_t* runs, const int64_t* first_run, const int64_t* sizes, int64_t masks,
               int threads);

}  // namespace benchsuite::rle

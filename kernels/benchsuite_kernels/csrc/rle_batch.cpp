#include "rle_batch.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "parallel.hpp"
#include "rle.hpp"
#include "rle_polygons.hpp"

namespace benchsuite::rle {
namespace {

// Calls work(row) for every mask; the first that is malformed is thrown after all is done.
template <class Work>
void for_each_mask(int64_t masks, int threads, const Work& work) {
  std::mutex failing;
  int64_t first_bad = masks;
  std::string problem;
  const int64_t parts = (masks + kMasksAPart - 1) / kMasksAPart;
  for_each_item(parts, 1, threads, [&](int64_t part, int) {
    const int64_t stop = std::min(masks, (part + 1) * kMasksAPart);
    for (int64_t row = part * kMasksAPart; row < stop; ++row) {
      try {
        work(row);
      } catch (const std::invalid_argument& error) {
        const std::lock_guard<std::mutex> lock(failing);
        if (row < first_bad) {
          first_bad = row;
          problem = error.what();
        }
        return;
      }
    }
  });
  if (first_bad < masks) throw BadMask(first_bad, problem);
}

// The counts that make(row) returns.
template <class Make>
Made made(int64_t masks, int threads, const Make& make) {
  Made found;
  found.parts.resize((masks + kMasksAPart - 1) / kMasksAPart);
  found.lengths.resize(masks);
  for_each_mask(masks, threads, [&](int64_t row) {
    const std::string counts = make(row);
    found.parts[row / kMasksAPart] += counts;
    found.lengths[row] = static_cast<int64_t>(counts.size());
  });
  return found;
}

void check_polygon(int64_t place, const double* points, int32_t numbers) {
  const std::string name = "polygon " + std::to_string(place);
  if (numbers < 6 || numbers % 2)
    throw std::invalid_argument(name + " has " + std::to_string(numbers) +
                                " numbers, not 6, 8, 10, ...");
  for (int32_t i = 0; i < numbers; ++i) {
    if (!std::isfinite(points[i]))
      throw std::invalid_argument(name + " holds a number that is not finite");
    if (std::abs(points[i]) > kLargestCoordinate)
      throw std::invalid_argument(name + " holds a coordinate beyond 400000000 pixels");
  }
}

}  // namespace

void areas(const Masks& masks, int threads, int64_t* areas) {
  for_each_mask(masks.number, threads, [&](int64_t row) { areas[row] = area(masks[row]); });
}

void validate(const Masks& masks, int threads, int64_t* areas) {
  for_each_mask(masks.number, threads, [&](int64_t row) {
    areas[row] = validate(masks[row], masks.sizes[2 * row], masks.sizes[2 * row + 1]);
  });
}

void boxes(const Masks& masks, int threads, double* boxes) {
  for_each_mask(masks.number, threads, [&](int64_t row) {
    const Box box = to_box(masks[row], masks.sizes[2 * row], masks.sizes[2 * row + 1]);
    const int64_t sides[] = {box.x, box.y, box.width, box.height};
    std::copy(sides, sides + 4, boxes + 4 * row);
  });
}

Made from_polygons(const Polygons& polygons, int threads) {
  return made(polygons.masks, threads, [&](int64_t row) {
    const int64_t count = polygons.polygons[row];
    const int32_t* numbers = polygons.numbers + polygons.first_polygon[row];
    const double* points = polygons.points + polygons.first_point[row];
    if (!count) throw std::invalid_argument("there is no polygon");
    const double* at = points;
    for (int64_t place = 0; place < count; at += numbers[place++])
      check_polygon(place, at, numbers[place]);
    return from_polygons(points, numbers, count, polygons.sizes[2 * row],
                         polygons.sizes[2 * row + 1]);
  });
}

Made from_runs(const int64_t* runs, const int64_t* first_run, const int64_t* sizes, int64_t masks,
               int threads) {
  return made(masks, threads, [&](int64_t row) {
    return compress_runs(runs + first_run[row], first_run[row + 1] - first_run[row],
                         sizes[2 * row], sizes[2 * row + 1]);
  });
}

}  // namespace benchsuite::rle

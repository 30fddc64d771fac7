#include "federated_detections.hpp"

#include <algorithm>
#include <numeric>

#include "id_places.hpp"
#include "parallel.hpp"

namespace benchsuite::federated {
namespace {

constexpr int64_t kChunk = 1 << 15;

int64_t chunk_count(int64_t rows) { return (rows + kChunk - 1) / kChunk; }

// Places of the images of a chunk's rows, added to `counts`; returns the first row without one.
int64_t place_images(const Detections& detections, const IdPlaces& images, int64_t chunk,
                     std::vector<int32_t>& places, std::vector<int32_t>& counts) {
  const int64_t stop = std::min(detections.count, (chunk + 1) * kChunk);
  int64_t unknown = -1, id = 0;
  int32_t place = -1;
  for (int64_t row = chunk * kChunk; row < stop; ++row) {
    // Most files hold an image's detections together.
    if (row == chunk * kChunk || detections.image_ids[row] != id) {
      id = detections.image_ids[row];
      place = images.find(id);
    }
    places[row] = place;
    if (place >= 0)
      ++counts[place];
    else if (unknown < 0)
      unknown = row;
  }
  return unknown;
}

// Marks the rows of one image that are not among its best; `rows` ascend.
void drop_all_but_best(std::vector<int64_t>& rows, const double* scores, int64_t most,
                       std::vector<uint8_t>& dropped) {
  const auto better = [scores](int64_t a, int64_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  };
  std::nth_element(rows.begin(), rows.begin() + most, rows.end(), better);
  for (auto row = rows.begin() + most; row != rows.end(); ++row) dropped[*row] = 1;
}

// One byte a row, 1 for those beyond an image's best `most`; empty where no image has more.
std::vector<uint8_t> beyond_most(const Detections& detections, const std::vector<int32_t>& places,
                                 const std::vector<int32_t>& counts, int64_t most, int threads) {
  std::vector<int32_t> crowded(counts.size(), -1);
  std::vector<std::vector<int64_t>> rows;
  for (size_t image = 0; image < counts.size(); ++image) {
    if (counts[image] <= most) continue;
    crowded[image] = static_cast<int32_t>(rows.size());
    rows.emplace_back().reserve(counts[image]);
  }
  if (rows.empty()) return {};
  for (int64_t row = 0; row < detections.count; ++row)
    if (places[row] >= 0 && crowded[places[row]] >= 0) rows[crowded[places[row]]].push_back(row);
  std::vector<uint8_t> dropped(detections.count, 0);
  for_each_item(static_cast<int64_t>(rows.size()), 64, threads, [&](int64_t item, int) {
    drop_all_but_best(rows[item], detections.scores, most, dropped);
  });
  return dropped;
}

Selected select_chunk(const Detections& detections, const LookedFor& looked_for,
                      const IdPlaces& categories, const std::vector<int32_t>& places,
                      const std::vector<uint8_t>& dropped, int64_t chunk) {
  Selected selected;
  const int64_t stop = std::min(detections.count, (chunk + 1) * kChunk);
  for (int64_t row = chunk * kChunk; row < stop; ++row) {
    const int64_t category = categories.find(detections.category_ids[row]);
    if (category < 0 && selected.unknown_category < 0) selected.unknown_category = row;
    const int64_t image = places[row];
    if (category < 0 || image < 0 || (!dropped.empty() && dropped[row])) continue;
    const int64_t* first = looked_for.listed + looked_for.starts[image];
    const int64_t* last = looked_for.listed + looked_for.starts[image + 1];
    const int64_t* found = std::lower_bound(first, last, category);
    const bool is_listed = found != last && *found == category;
    if (!is_listed && !looked_for.everything[image]) continue;
    selected.rows.push_back(row);
    selected.groups.push_back(category * looked_for.images + image);
    selected.not_exhaustive.push_back(is_listed &&
                                      !looked_for.exhaustive[found - looked_for.listed]);
  }
  return selected;
}

int64_t first_of(int64_t a, int64_t b) { return a < 0 ? b : b < 0 ? a : std::min(a, b); }

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

Selected select(const Detections& detections, const LookedFor& looked_for, int64_t most,
                int threads) {
  const IdPlaces images(looked_for.image_ids, looked_for.images);
  const IdPlaces categories(looked_for.category_ids, looked_for.categories);
  const int64_t chunks = chunk_count(detections.count);
  std::vector<int32_t> places(detections.count);
  std::vector<std::vector<int32_t>> counts(std::max(threads, 1));
  std::vector<int64_t> unknown(chunks, -1);
  for_each_item(chunks, 1, threads, [&](int64_t chunk, int worker) {
    if (counts[worker].empty()) counts[worker].assign(looked_for.images, 0);
    unknown[chunk] = place_images(detections, images, chunk, places, counts[worker]);
  });
  std::vector<int32_t> total(looked_for.images, 0);
  for (const auto& part : counts)
    for (size_t image = 0; image < part.size(); ++image) total[image] += part[image];
  const auto dropped = beyond_most(detections, places, total, most, threads);

  std::vector<Selected> parts(chunks);
  for_each_item(chunks, 1, threads, [&](int64_t chunk, int) {
    parts[chunk] = select_chunk(detections, looked_for, categories, places, dropped, chunk);
  });
  Selected selected;
  const size_t size = std::accumulate(
      parts.begin(), parts.end(), size_t{0},
      [](size_t sum, const Selected& part) { return sum + part.rows.size(); });
  selected.rows.reserve(size);
  selected.groups.reserve(size);
  selected.not_exhaustive.reserve(size);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    append(selected.rows, parts[chunk].rows);
    append(selected.groups, parts[chunk].groups);
    append(selected.not_exhaustive, parts[chunk].not_exhaustive);
    selected.unknown_image = first_of(selected.unknown_image, unknown[chunk]);
    selected.unknown_category = first_of(selected.unknown_category, parts[chunk].unknown_category);
  }
  return selected;
}

}  // namespace benchsuite::federated

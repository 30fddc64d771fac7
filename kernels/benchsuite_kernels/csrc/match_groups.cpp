#include "match_groups.hpp"

#include <algorithm>
#include <limits>

#include "group_order.hpp"
#include "id_places.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kRowsPerSlice = 32768;

}  // namespace

void match_groups(const Ids& images, const int64_t* categories, const Ids& image_ids,
                  const Ids& category_ids, int threads, int64_t* groups) {
  const IdPlaces image_places(image_ids.first, image_ids.count);
  const IdPlaces category_places(category_ids.first, category_ids.count);
  const int64_t slices = (images.count + kRowsPerSlice - 1) / kRowsPerSlice;
  for_each_item(slices, 1, threads, [&](int64_t slice, int) {
    const int64_t stop = std::min(images.count, (slice + 1) * kRowsPerSlice);
    for (int64_t row = slice * kRowsPerSlice; row < stop; ++row) {
      const int64_t image = image_places.find(images.first[row]);
      const int64_t category = categories ? category_places.find(categories[row]) : 0;
      groups[row] = image < 0 || category < 0 ? -1 : category * image_ids.count + image;
    }
  });
}

void order_by_group(const Ids& groups, int threads, int64_t* order) {
  const GroupOrder sorted(groups.first, nullptr, groups.count, nullptr, 0,
                          std::numeric_limits<int64_t>::max(), threads);
  int64_t place = 0;
  for (int64_t bucket = 0; bucket < sorted.buckets(); ++bucket)
    for (const int32_t row : sorted.detections_of(bucket)) order[place++] = row;
}

}  // namespace benchsuite

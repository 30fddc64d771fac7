#include <limits>
#include <memory>
#include <optional>

#include "bindings.hpp"
#include "box_overlap.hpp"
#include "detection_match.hpp"
#include "given_overlap.hpp"
#include "keypoint_similarity.hpp"
#include "mask_boundary.hpp"
#include "mask_overlap.hpp"
#include "match_groups.hpp"
#include "overlapping_pairs.hpp"

namespace benchsuite {
namespace {

// An attribute of one of the Python side's records, as an array that nothing was copied for.
template <class T>
Array<T> attribute(const py::object& record, const char* name) {
  const py::object value = record.attr(name);
  if (!Array<T>::check_(value))
    throw py::type_error(std::string(name) + " has another dtype or memory order than it should");
  return py::reinterpret_borrow<Array<T>>(value);
}

template <class T>
std::optional<Array<T>> attribute_if_any(const py::object& record, const char* name) {
  if (py::object(record.attr(name)).is_none()) return std::nullopt;
  return attribute<T>(record, name);
}

template <class T>
const T* data_if_any(const std::optional<Array<T>>& array) {
  return array ? array->data() : nullptr;
}

// Memory for an array that a kernel writes whole.
template <class T>
class Output {
 public:
  explicit Output(int64_t size) : size_(size), data_(new T[static_cast<size_t>(size)]) {}
  T* data() { return data_.get(); }
  py::array_t<T> array(std::vector<py::ssize_t> shape) {
    T* const data = data_.release();
    const py::capsule owner(data, [](void* memory) { delete[] static_cast<T*>(memory); });
    return py::array_t<T>(std::move(shape), data, owner);
  }

 private:
  int64_t size_;
  std::unique_ptr<T[]> data_;
};

template <class T>
py::array_t<T> as_array(std::vector<T>&& values) {
  auto* const kept = new std::vector<T>(std::move(values));
  const py::capsule owner(kept, [](void* memory) { delete static_cast<std::vector<T>*>(memory); });
  return py::array_t<T>({static_cast<py::ssize_t>(kept->size())}, kept->data(), owner);
}

void require_count(int64_t most_detections) {
  if (most_detections < 0) throw py::value_error("a negative number of detections cannot count");
}

struct Masks {
  Array<uint8_t> counts;
  Array<int64_t> offsets;
  Array<int32_t> sizes;

  explicit Masks(const py::object& record)
      : counts(attribute<uint8_t>(record, "counts")),
        offsets(attribute<int64_t>(record, "offsets")),
        sizes(attribute<int32_t>(record, "sizes")) {
    require(sizes, "sizes", {sizes.size() / 2, 2});
    require(offsets, "offsets", {sizes.size() / 2 + 1});
    int64_t last = 0;
    for (py::ssize_t i = 0; i < offsets.size(); ++i) {
      if (offsets.data()[i] < last || offsets.data()[i] > counts.size())
        throw py::value_error("offsets do not ascend within counts");
      last = offsets.data()[i];
    }
    for (py::ssize_t i = 0; i < sizes.size(); ++i)
      if (sizes.data()[i] < 0) throw py::value_error("a mask's image has a negative size");
  }
  MaskColumn column() const {
    return {counts.data(), offsets.data(), sizes.data(), sizes.shape(0)};
  }
};

// The overlaps of a Python record, and the arrays they look at.
struct BoundOverlaps {
  std::vector<py::object> kept;
  std::unique_ptr<Overlaps> overlaps;
};

BoundOverlaps box_overlaps(const py::object& record) {
  const auto detections = attribute<double>(record, "detections");
  const auto truths = attribute<double>(record, "truths");
  require(detections, "detections", {detections.size() / 4, 4});
  require(truths, "truths", {truths.size() / 4, 4});
  return {{detections, truths},
          std::make_unique<BoxOverlaps>(detections.data(), detections.shape(0), truths.data(),
                                        truths.shape(0))};
}

BoundOverlaps mask_overlaps(const py::object& record) {
  const Masks detections(record.attr("detections")), truths(record.attr("truths"));
  return {{detections.counts, detections.offsets, detections.sizes, truths.counts, truths.offsets,
           truths.sizes},
          std::make_unique<MaskOverlaps>(detections.column(), truths.column())};
}

BoundOverlaps boundary_overlaps(const py::object& record) {
  const Masks detections(record.attr("detections")), truths(record.attr("truths"));
  const auto ratio = record.attr("ratio").cast<double>();
  // Wider than this no boundary of an image can be.
  if (!(ratio >= 0 && ratio <= 1)) throw py::value_error("ratio is not from 0 to 1");
  return {{detections.counts, detections.offsets, detections.sizes, truths.counts, truths.offsets,
           truths.sizes},
          std::make_unique<BoundaryOverlaps>(detections.column(), truths.column(), ratio)};
}

BoundOverlaps given_overlaps(const py::object& record, int64_t truth_count) {
  const auto starts = attribute<int64_t>(record, "starts");
  const auto truths = attribute<int64_t>(record, "truths");
  const auto values = attribute<double>(record, "values");
  require(values, "values", {truths.size()});
  if (starts.ndim() != 1 || starts.size() < 1 || starts.data()[0] != 0 ||
      starts.data()[starts.size() - 1] != truths.size())
    throw py::value_error("starts do not go from 0 to the number of pairs");
  for (py::ssize_t i = 1; i < starts.size(); ++i)
    if (starts.data()[i] < starts.data()[i - 1]) throw py::value_error("starts do not ascend");
  return {{starts, truths, values},
          std::make_unique<GivenOverlaps>(starts.data(), truths.data(), values.data(),
                                          starts.size() - 1, truth_count)};
}

BoundOverlaps bind_overlaps(const std::string& kind, const py::object& record,
                            int64_t detections, int64_t truths) {
  BoundOverlaps bound = kind == "boxes"   ? box_overlaps(record)
                        : kind == "masks" ? mask_overlaps(record)
                        : kind == "boundaries" ? boundary_overlaps(record)
                                          : given_overlaps(record, truths);
  if (bound.overlaps->detections() != detections || bound.overlaps->truths() != truths)
    throw py::value_error("the overlaps are not those of these detections and truths");
  return bound;
}

template <class Bits>
py::tuple match_in(const GroupOrder& order, const DetectionColumns& detections,
                   const TruthColumns& truths, const Overlaps& overlaps, const MatchRule& rule,
                   int threads, bool which) {
  const int64_t counted = order.counted(), areas = rule.area_count;
  Output<int64_t> rows(counted);
  Output<int32_t> ranks(counted);
  Output<Bits> matched(areas * counted), ignored(areas * counted);
  Output<Bits> truth_matched(areas * truths.count), truth_ignored(areas * truths.count);
  const int64_t thresholds = rule.threshold_count;
  std::optional<Output<int32_t>> takes;
  if (which) takes.emplace(areas * thresholds * counted);
  {
    const py::gil_scoped_release release;
    match_detections<Bits>(order, detections, truths, overlaps, rule, threads,
                           {rows.data(), ranks.data(), matched.data(), ignored.data(),
                            truth_matched.data(), truth_ignored.data(),
                            takes ? takes->data() : nullptr});
  }
  return py::make_tuple(rows.array({counted}), ranks.array({counted}),
                        matched.array({areas, counted}), ignored.array({areas, counted}),
                        truth_matched.array({areas, truths.count}),
                        truth_ignored.array({areas, truths.count}),
                        takes ? py::object(takes->array({areas, thresholds, counted}))
                              : py::object(py::none()));
}

py::tuple match(const py::object& detections, const py::object& truths, const std::string& kind,
                const py::object& overlaps, const Array<double>& thresholds,
                const Array<double>& area_ranges, int64_t most_detections, int threads,
                bool which) {
  const auto groups = attribute<int64_t>(detections, "groups");
  const auto scores = attribute<double>(detections, "scores");
  const auto areas = attribute<double>(detections, "areas");
  const auto excused = attribute_if_any<bool>(detections, "ignored_if_unmatched");
  const auto truth_groups = attribute<int64_t>(truths, "groups");
  const auto truth_areas = attribute<double>(truths, "areas");
  const auto ignored = attribute<bool>(truths, "ignored");
  const auto crowd = attribute<bool>(truths, "crowd");
  const auto loses_match = attribute_if_any<bool>(truths, "loses_match");
  const int64_t detection_count = groups.size(), truth_count = truth_groups.size();
  require(scores, "scores", {detection_count});
  require(areas, "areas", {detection_count});
  if (excused) require(*excused, "ignored_if_unmatched", {detection_count});
  require(truth_areas, "areas", {truth_count});
  require(ignored, "ignored", {truth_count});
  require(crowd, "crowd", {truth_count});
  if (loses_match) require(*loses_match, "loses_match", {truth_count});
  require(area_ranges, "area_ranges", {area_ranges.size() / 2, 2});
  if (thresholds.ndim() != 1 || thresholds.size() < 1 || thresholds.size() > 64)
    throw py::value_error("there are not 1 to 64 thresholds");
  for (py::ssize_t i = 0; i < thresholds.size(); ++i)
    if (thresholds.data()[i] != thresholds.data()[i])
      throw py::value_error("an IoU threshold is not a number");
  require_count(most_detections);
  const BoundOverlaps bound = bind_overlaps(kind, overlaps, detection_count, truth_count);

  std::unique_ptr<GroupOrder> order;
  {
    const py::gil_scoped_release release;
    order = std::make_unique<GroupOrder>(groups.data(), scores.data(), detection_count,
                                         truth_groups.data(), truth_count, most_detections,
                                         threads);
  }
  const DetectionColumns detection_columns{areas.data(), data_if_any(excused)};
  const TruthColumns truth_columns{truth_areas.data(), ignored.data(), crowd.data(),
                                   data_if_any(loses_match), truth_count};
  const MatchRule rule{thresholds.data(), thresholds.size(), area_ranges.data(),
                       area_ranges.shape(0)};
  const auto matching = thresholds.size() <= 8    ? match_in<uint8_t>
                        : thresholds.size() <= 16 ? match_in<uint16_t>
                        : thresholds.size() <= 32 ? match_in<uint32_t>
                                                  : match_in<uint64_t>;
  return matching(*order, detection_columns, truth_columns, *bound.overlaps, rule, threads,
                  which);
}

py::tuple keypoint_exponents(const py::object& detections, const Array<int64_t>& truth_groups,
                             const py::object& overlaps, double least, int64_t most_detections,
                             int threads) {
  const auto groups = attribute<int64_t>(detections, "groups");
  const auto scores = attribute<double>(detections, "scores");
  const auto points = attribute<double>(overlaps, "detections");
  const auto truths = attribute<double>(overlaps, "truths");
  const auto boxes = attribute<double>(overlaps, "boxes");
  const auto areas = attribute<double>(overlaps, "areas");
  const auto sigmas = attribute<double>(overlaps, "sigmas");
  const int64_t keypoints = sigmas.size();
  require(scores, "scores", {groups.size()});
  require(points, "detections", {groups.size(), 3 * keypoints});
  require(truths, "truths", {truth_groups.size(), 3 * keypoints});
  require(boxes, "boxes", {truth_groups.size(), 4});
  require(areas, "areas", {truth_groups.size()});
  require_count(most_detections);
  KeypointPairs pairs;
  {
    const py::gil_scoped_release release;
    const GroupOrder order(groups.data(), scores.data(), groups.size(), truth_groups.data(),
                           truth_groups.size(), most_detections, threads);
    pairs = keypoint_pairs(order,
                           {points.data(), truths.data(), boxes.data(), areas.data(),
                            sigmas.data(), keypoints},
                           groups.size(), least, threads);
  }
  return py::make_tuple(as_array(std::move(pairs.starts)), as_array(std::move(pairs.truths)),
                        as_array(std::move(pairs.exponent_starts)),
                        as_array(std::move(pairs.exponents)));
}

py::tuple pairs_that_overlap(const Array<int64_t>& groups, const Array<int64_t>& truth_groups,
                             const Array<bool>& crowd, const std::string& kind,
                             const py::object& overlaps, double least, int threads) {
  require(groups, "detection_groups", {groups.size()});
  require(truth_groups, "truth_groups", {truth_groups.size()});
  require(crowd, "crowd", {truth_groups.size()});
  const BoundOverlaps bound = bind_overlaps(kind, overlaps, groups.size(), truth_groups.size());
  OverlappingPairs pairs;
  {
    const py::gil_scoped_release release;
    // All scores are equal, so that rows keep their order.
    const std::vector<double> scores(groups.size(), 0.0);
    const GroupOrder order(groups.data(), scores.data(), groups.size(), truth_groups.data(),
                           truth_groups.size(), groups.size(), threads);
    pairs = overlapping_pairs(order, groups.size(), *bound.overlaps, crowd.data(), least, threads);
  }
  return py::make_tuple(as_array(std::move(pairs.starts)), as_array(std::move(pairs.truths)),
                        as_array(std::move(pairs.values)));
}

py::array_t<int64_t> groups_of(const Array<int64_t>& images,
                               const std::optional<Array<int64_t>>& categories,
                               const Array<int64_t>& image_ids,
                               const Array<int64_t>& category_ids, int threads) {
  if (categories) require(*categories, "categories", {images.size()});
  Output<int64_t> groups(images.size());
  {
    const py::gil_scoped_release release;
    match_groups({images.data(), images.size()}, data_if_any(categories),
                 {image_ids.data(), image_ids.size()}, {category_ids.data(), category_ids.size()},
                 threads, groups.data());
  }
  return groups.array({images.size()});
}

py::array_t<int64_t> rows_by_group(const Array<int64_t>& groups, int threads) {
  Output<int64_t> order(groups.size());
  {
    const py::gil_scoped_release release;
    order_by_group({groups.data(), groups.size()}, threads, order.data());
  }
  return order.array({groups.size()});
}

py::array_t<double> means(const Array<double>& values, const Array<int64_t>& starts) {
  const int64_t count = starts.size() - 1;
  if (count < 0 || starts.data()[0] != 0 || starts.data()[count] != values.size())
    throw py::value_error("starts do not go from 0 to the number of values");
  for (int64_t i = 0; i < count; ++i)
    if (starts.data()[i + 1] < starts.data()[i]) throw py::value_error("starts do not ascend");
  Output<double> result(count);
  {
    const py::gil_scoped_release release;
    pairwise_means(values.data(), starts.data(), count, result.data());
  }
  return result.array({count});
}

}  // namespace

void bind_detection_match(py::module_& module) {
  py::module_ functions = module.def_submodule("detection_match");
  functions.def("match", &match, py::arg("detections"), py::arg("truths"), py::arg("kind"),
                py::arg("overlaps"), py::arg("iou_thresholds").noconvert(),
                py::arg("area_ranges").noconvert(), py::arg("most_detections"),
                py::arg("threads"), py::arg("which"));
  functions.def("keypoint_exponents", &keypoint_exponents, py::arg("detections"),
                py::arg("truth_groups").noconvert(), py::arg("overlaps"), py::arg("least"),
                py::arg("most_detections"), py::arg("threads"));
  functions.def("overlapping_pairs", &pairs_that_overlap, py::arg("detection_groups").noconvert(),
                py::arg("truth_groups").noconvert(), py::arg("crowd").noconvert(), py::arg("kind"),
                py::arg("overlaps"), py::arg("least"), py::arg("threads"));
  functions.def("match_groups", &groups_of, py::arg("images").noconvert(),
                py::arg("categories").none(true).noconvert(), py::arg("image_ids").noconvert(),
                py::arg("category_ids").noconvert(), py::arg("threads"));
  functions.def("order_by_group", &rows_by_group, py::arg("groups").noconvert(),
                py::arg("threads"));
  functions.def("pairwise_means", &means, py::arg("values").noconvert(),
                py::arg("starts").noconvert());
}

}  // namespace benchsuite

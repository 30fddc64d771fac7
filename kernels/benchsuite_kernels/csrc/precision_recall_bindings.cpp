#include <algorithm>
#include <optional>
#include <tuple>

#include "bindings.hpp"
#include "match_order.hpp"
#include "precision_curve.hpp"
#include "precision_recall.hpp"
#include "resampled_means.hpp"

namespace benchsuite {
namespace {

using Columns = std::vector<py::array>;

MatchKeys keys_of(const Array<int64_t>& images, const Array<int64_t>& categories,
                  const Array<bool>& is_truth, const Array<int32_t>& ranks,
                  const Array<double>& scores) {
  const py::ssize_t rows = images.size();
  require(images, "images", {rows});
  require(categories, "categories", {rows});
  require(is_truth, "is_truth", {rows});
  require(ranks, "ranks", {rows});
  require(scores, "scores", {rows});
  return {rows,         images.data(),
          categories.data(), reinterpret_cast<const uint8_t*>(is_truth.data()),
          ranks.data(), scores.data()};
}

Array<int64_t> array_of(const std::vector<int64_t>& values) {
  return Array<int64_t>(static_cast<py::ssize_t>(values.size()), values.data());
}

void require_ascending(const Array<int64_t>& ids, const char* name) {
  for (py::ssize_t i = 1; i < ids.size(); ++i)
    if (ids.data()[i - 1] >= ids.data()[i])
      throw py::value_error(std::string(name) + " do not ascend");
}

py::tuple bound_match_order(const Array<int64_t>& images, const Array<int64_t>& categories,
                            const Array<bool>& is_truth, const Array<int32_t>& ranks,
                            const Array<double>& scores, const Array<int64_t>& category_ids,
                            int threads) {
  const auto keys = keys_of(images, categories, is_truth, ranks, scores);
  require(category_ids, "category_ids", {category_ids.size()});
  require_ascending(category_ids, "category_ids");
  MatchOrder order;
  {
    const py::gil_scoped_release release;
    order = match_order(keys, category_ids.data(), category_ids.size(), std::max(threads, 1));
  }
  return py::make_tuple(array_of(order.detections.starts), array_of(order.detections.rows),
                        array_of(order.truths.starts), array_of(order.truths.rows));
}

void require_rows(const Array<int64_t>& starts, const Array<int64_t>& rows, int64_t limit) {
  require(rows, "the order's rows", {rows.size()});
  require(starts, "the order's starts", {starts.size()});
  require_below(rows, "the order's rows", limit);
  const int64_t* first = starts.data();
  if (!starts.size() || first[0] != 0 || first[starts.size() - 1] != rows.size() ||
      !std::is_sorted(first, first + starts.size()))
    throw py::value_error("the order's starts do not fit its rows");
}

// detection_starts, detections, truth_starts, truths
using OrderArrays =
    std::tuple<Array<int64_t>, Array<int64_t>, Array<int64_t>, Array<int64_t>>;

// image ids, weights
using WeightArrays = std::tuple<Array<int64_t>, Array<double>>;

OrderedRows order_of(const OrderArrays& order, int64_t rows) {
  const auto& [detection_starts, detections, truth_starts, truths] = order;
  require_rows(detection_starts, detections, rows);
  require_rows(truth_starts, truths, rows);
  if (detection_starts.size() != truth_starts.size())
    throw py::value_error("the order's starts do not fit together");
  return {detection_starts.size() - 1, detection_starts.data(), detections.data(),
          truth_starts.data(), truths.data()};
}

template <class Bits>
MatchBits<Bits> bits_of(const Columns& matched, const Columns& ignored, int64_t rows) {
  MatchBits<Bits> bits;
  const auto take = [&](const Columns& columns, std::vector<const Bits*>& pointers) {
    for (const py::array& column : columns) {
      if (!py::isinstance<Array<Bits>>(column) || column.ndim() != 1 || column.shape(0) != rows)
        throw py::value_error("columns of bits differ in dtype, shape or memory order");
      pointers.push_back(static_cast<const Bits*>(column.data()));
    }
  };
  take(matched, bits.matched);
  take(ignored, bits.ignored);
  if (bits.matched.size() != bits.ignored.size())
    throw py::value_error("matched and ignored differ in their number of area ranges");
  return bits;
}

// Calls visit with a value of the unsigned type that the columns of bits are of.
template <class Visit>
void with_bits(const Columns& matched, int thresholds, const Visit& visit) {
  const int size = matched.empty() ? 8 : static_cast<int>(matched[0].itemsize());
  if (thresholds < 1 || thresholds > 8 * size)
    throw py::value_error("there are more IoU thresholds than bits, or none");
  switch (size) {
    case 1: return visit(uint8_t{});
    case 2: return visit(uint16_t{});
    case 4: return visit(uint32_t{});
    case 8: return visit(uint64_t{});
    default: throw py::value_error("bits are unsigned integers of 8, 16, 32 or 64 bits");
  }
}

py::tuple bound_precision_recall(const Array<int64_t>& images, const Array<bool>& is_truth,
                                 const Array<int32_t>& ranks, const Array<double>& scores,
                                 const Columns& matched, const Columns& ignored,
                                 const OrderArrays& order, int thresholds,
                                 const std::vector<double>& recalls,
                                 const std::vector<int32_t>& max_detections,
                                 const std::optional<WeightArrays>& weights, int threads) {
  const auto keys = keys_of(images, images, is_truth, ranks, scores);
  const auto rows = order_of(order, keys.rows);
  ImageWeights of_images{};
  if (weights) {
    const auto& [ids, values] = *weights;
    require(ids, "image_ids", {ids.size()});
    require(values, "weights", {ids.size()});
    require_ascending(ids, "image_ids");
    of_images = {ids.size(), ids.data(), values.data()};
  }
  const CurveAxes axes{thresholds, recalls, max_detections};
  const py::ssize_t t = thresholds, r = recalls.size(), k = rows.categories, a = matched.size(),
                    m = max_detections.size();
  Array<double> precision({t, r, k, a, m}), recall({t, k, a, m}), found_at({t, r, k, a, m});
  const CurveArrays out{precision.mutable_data(), recall.mutable_data(), found_at.mutable_data()};
  with_bits(matched, thresholds, [&](auto type) {
    const auto bits = bits_of<decltype(type)>(matched, ignored, keys.rows);
    const py::gil_scoped_release release;
    precision_recall(keys, rows, bits, axes, weights ? &of_images : nullptr, out,
                     std::max(threads, 1));
  });
  return py::make_tuple(precision, recall, found_at);
}

// of_recall, area, number, threshold (-1: all), categories (none: all)
using MeanFields = std::tuple<bool, size_t, size_t, int, std::optional<Array<bool>>>;

Array<double> bound_resampled_means(const Array<int64_t>& images, const Array<bool>& is_truth,
                                    const Array<int32_t>& ranks, const Array<double>& scores,
                                    const Columns& matched, const Columns& ignored,
                                    const OrderArrays& order, int thresholds,
                                    const std::vector<double>& recalls,
                                    const std::vector<int32_t>& max_detections,
                                    const std::vector<MeanFields>& values,
                                    const Array<int64_t>& weighted_images,
                                    const Array<double>& weights, int threads) {
  const auto keys = keys_of(images, images, is_truth, ranks, scores);
  const auto rows = order_of(order, keys.rows);
  const CurveAxes axes{thresholds, recalls, max_detections};
  std::vector<CurveMean> means;
  for (const auto& [of_recall, area, number, threshold, categories] : values) {
    if (area >= matched.size() || number >= max_detections.size() || threshold >= thresholds)
      throw py::value_error("a mean is of an area, number or threshold that is not there");
    if (categories) require(*categories, "categories", {rows.categories});
    means.push_back({of_recall, area, number, threshold,
                     categories ? reinterpret_cast<const uint8_t*>(categories->data()) : nullptr});
  }
  const py::ssize_t replicates = weights.ndim() == 2 ? weights.shape(0) : 0;
  require(weighted_images, "image_ids", {weighted_images.size()});
  require(weights, "weights", {replicates, weighted_images.size()});
  require_ascending(weighted_images, "image_ids");
  Array<double> out({replicates, static_cast<py::ssize_t>(means.size())});
  double* to = out.mutable_data();
  with_bits(matched, thresholds, [&](auto type) {
    const auto bits = bits_of<decltype(type)>(matched, ignored, keys.rows);
    const py::gil_scoped_release release;
    resampled_means(keys, rows, bits, axes, means, weighted_images.data(), weighted_images.size(),
                    weights.data(), replicates, to, std::max(threads, 1));
  });
  return out;
}

}  // namespace

void bind_precision_recall(py::module_& module) {
  module.def("match_order", &bound_match_order, py::arg("images").noconvert(),
             py::arg("categories").noconvert(), py::arg("is_truth").noconvert(),
             py::arg("ranks").noconvert(), py::arg("scores").noconvert(),
             py::arg("category_ids").noconvert(), py::arg("threads"));
  module.def("precision_recall", &bound_precision_recall, py::arg("images").noconvert(),
             py::arg("is_truth").noconvert(), py::arg("ranks").noconvert(),
             py::arg("scores").noconvert(), py::arg("matched"), py::arg("ignored"),
             py::arg("order").noconvert(), py::arg("thresholds"), py::arg("recalls"),
             py::arg("max_detections"), py::arg("weights").noconvert(), py::arg("threads"));
  module.def("resampled_means", &bound_resampled_means, py::arg("images").noconvert(),
             py::arg("is_truth").noconvert(), py::arg("ranks").noconvert(),
             py::arg("scores").noconvert(), py::arg("matched"), py::arg("ignored"),
             py::arg("order").noconvert(), py::arg("thresholds"), py::arg("recalls"),
             py::arg("max_detections"), py::arg("values").noconvert(),
             py::arg("weighted_images").noconvert(), py::arg("weights").noconvert(),
             py::arg("threads"));
}

}  // namespace benchsuite

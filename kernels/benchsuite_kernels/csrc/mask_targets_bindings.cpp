#include "bindings.hpp"
#include "crop_masks.hpp"
#include "packed_masks.hpp"
#include "polygon_targets.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

// Starts of rows and their end: from 0 to `limit`, each row at least `least` long.
void require_starts(const TensorView<int64_t>& starts, const char* name, int64_t limit,
                    int64_t least) {
  const int64_t rows = starts.size() - 1;
  bool sound = starts.ndim() == 1 && rows >= 0 && starts.data()[0] == 0 &&
               starts.data()[rows] == limit;
  for (int64_t i = 0; sound && i < rows; ++i)
    sound = starts.data()[i + 1] - starts.data()[i] >= least;
  if (!sound)
    throw py::value_error(std::string(name) + " do not lead from 0 to " + std::to_string(limit) +
                          " in steps of at least " + std::to_string(least));
}

int64_t require_targets(const TensorView<bool>& targets, const TensorView<float>& boxes,
                        const TensorView<int64_t>& of_mask) {
  if (targets.ndim() != 3) throw py::value_error("targets have three axes");
  const int64_t regions = targets.shape(0);
  targets.require("targets", {regions, targets.shape(1), targets.shape(1)});
  boxes.require("boxes", {regions, 4});
  of_mask.require("the masks of regions", {regions});
  return regions;
}

void bound_polygon_targets(const TensorView<double>& points,
                           const TensorView<int64_t>& polygon_starts,
                           const TensorView<int64_t>& mask_starts,
                           const TensorView<int64_t>& matched, const TensorView<float>& boxes,
                           const TensorView<bool>& targets, int threads) {
  const int64_t regions = require_targets(targets, boxes, matched);
  points.require("points", {points.size() / 2, 2});
  require_starts(polygon_starts, "polygon_starts", points.size() / 2, 3);
  require_starts(mask_starts, "mask_starts", polygon_starts.size() - 1, 0);
  matched.require_below("matched", mask_starts.size() - 1);
  const PolygonTargets task{points.data(),  polygon_starts.data(), mask_starts.data(),
                            matched.data(), boxes.data(),          regions,
                            targets.shape(1), targets.data()};
  const py::gil_scoped_release release;
  task.draw(threads);
}

void bound_crop_masks(const TensorView<int64_t>& bits, const TensorView<int64_t>& sizes,
                      const TensorView<int64_t>& index, const TensorView<float>& boxes,
                      const TensorView<bool>& targets, int threads) {
  const int64_t regions = require_targets(targets, boxes, index);
  if (bits.ndim() != 2) throw py::value_error("bits have two axes");
  const int64_t masks = bits.shape(0), words = bits.shape(1);
  sizes.require("sizes", {masks, 2});
  for (int64_t i = 0; i < masks; ++i) {
    const int64_t height = sizes.data()[2 * i], width = sizes.data()[2 * i + 1];
    if (height < 0 || width < 0 || (height && width > words * kWordBits / height))
      throw py::value_error("an image has more pixels than bits");
  }
  for (int64_t i = 0; i < regions; ++i)
    if (index.data()[i] >= masks) throw py::value_error("index is beyond the masks");
  const CropMasks task{reinterpret_cast<const uint64_t*>(bits.data()), sizes.data(), index.data(),
                       boxes.data(), words, regions, targets.shape(1), targets.data()};
  const py::gil_scoped_release release;
  task.crop(threads);
}

}  // namespace

void bind_mask_targets(py::module_& module) {
  module.def("polygon_targets", &bound_polygon_targets);
  module.def("crop_packed_masks", &bound_crop_masks);
}

}  // namespace benchsuite

#include "bindings.hpp"
#include "pairwise_iou.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

void bound_pairwise_iou(const TensorView<float>& boxes, const TensorView<float>& others,
                        const TensorView<float>& overlaps, int threads) {
  if (overlaps.ndim() != 2) throw py::value_error("overlaps have two axes");
  const int64_t count = overlaps.shape(0), other_count = overlaps.shape(1);
  boxes.require("boxes", {count, 4});
  others.require("others", {other_count, 4});
  const py::gil_scoped_release release;
  pairwise_iou(boxes.data(), count, others.data(), other_count, overlaps.data(), threads);
}

void bound_pairwise_iou_rotated(const TensorView<double>& boxes, const TensorView<double>& others,
                                const TensorView<float>& overlaps, int threads) {
  if (overlaps.ndim() != 2) throw py::value_error("overlaps have two axes");
  const int64_t count = overlaps.shape(0), other_count = overlaps.shape(1);
  boxes.require("boxes", {count, 8});
  others.require("others", {other_count, 8});
  const py::gil_scoped_release release;
  pairwise_iou_rotated(reinterpret_cast<const rotated::Box*>(boxes.data()), count,
                       reinterpret_cast<const rotated::Box*>(others.data()), other_count,
                       overlaps.data(), threads);
}

}  // namespace

void bind_pairwise_iou(py::module_& module) {
  module.def("pairwise_iou", &bound_pairwise_iou);
  module.def("pairwise_iou_rotated", &bound_pairwise_iou_rotated);
}

}  // namespace benchsuite

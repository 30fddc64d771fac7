#include "bindings.hpp"
#include "nms_rotated.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

void bound_nms_rotated_per_image(const TensorView<double>& boxes, const TensorView<float>& scores,
                                 const TensorView<int64_t>& groups, double iou_threshold,
                                 const TensorView<int64_t>& index,
                                 const TensorView<int64_t>& counts, int threads) {
  if (scores.ndim() != 2 || index.ndim() != 2)
    throw py::value_error("scores and index have two axes");
  const int64_t images = scores.shape(0), count = scores.shape(1), limit = index.shape(1);
  boxes.require("boxes", {images, count, 8});
  groups.require("groups", {images, count});
  index.require("index", {images, limit});
  counts.require("counts", {images});
  const py::gil_scoped_release release;
  nms_rotated_per_image(reinterpret_cast<const rotated::Box*>(boxes.data()), scores.data(),
                        groups.data(), images, count, iou_threshold, limit, index.data(),
                        counts.data(), threads);
}

}  // namespace

void bind_nms_rotated(py::module_& module) {
  module.def("nms_rotated_per_image", &bound_nms_rotated_per_image);
}

}  // namespace benchsuite

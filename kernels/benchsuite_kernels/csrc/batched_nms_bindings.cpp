#include "batched_nms.hpp"
#include "bindings.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

// Writes the kept indices to the beginning of `kept`; returns how many there are.
int64_t bound_batched_nms(const TensorView<float>& boxes, const TensorView<float>& scores,
                          const TensorView<int64_t>& groups, double iou_threshold,
                          const TensorView<int64_t>& kept, int threads) {
  const int64_t count = scores.size();
  boxes.require("boxes", {count, 4});
  scores.require("scores", {count});
  groups.require("groups", {count});
  kept.require("kept", {count});
  const py::gil_scoped_release release;
  const std::vector<int64_t> indices =
      batched_nms({boxes.data(), scores.data(), groups.data(), count}, iou_threshold, threads);
  std::copy(indices.begin(), indices.end(), kept.data());
  return static_cast<int64_t>(indices.size());
}

void bound_nms_per_image(const TensorView<float>& boxes, const TensorView<float>& scores,
                         const TensorView<int64_t>& groups, double iou_threshold,
                         const TensorView<int64_t>& index, const TensorView<int64_t>& counts,
                         int threads) {
  if (scores.ndim() != 2 || index.ndim() != 2)
    throw py::value_error("scores and index have two axes");
  const int64_t images = scores.shape(0), count = scores.shape(1), limit = index.shape(1);
  boxes.require("boxes", {images, count, 4});
  groups.require("groups", {images, count});
  index.require("index", {images, limit});
  counts.require("counts", {images});
  const py::gil_scoped_release release;
  nms_per_image({boxes.data(), scores.data(), groups.data(), count}, images, iou_threshold, limit,
                index.data(), counts.data(), threads);
}

}  // namespace

void bind_batched_nms(py::module_& module) {
  module.def("batched_nms", &bound_batched_nms);
  module.def("nms_per_image", &bound_nms_per_image);
}

}  // namespace benchsuite

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
      batched_nms(boxes.data(), scores.data(), groups.data(), count, iou_threshold, threads);
  std::copy(indices.begin(), indices.end(), kept.data());
  return static_cast<int64_t>(indices.size());
}

}  // namespace

void bind_batched_nms(py::module_& module) {
  module.def("batched_nms", &bound_batched_nms);
}

}  // namespace benchsuite

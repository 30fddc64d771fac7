#include <tuple>

#include "bindings.hpp"
#include "nms.hpp"
#include "soft_nms.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

// decay: method, IoU threshold, sigma and the least score.
void bound_soft_nms(const TensorView<float>& boxes, const TensorView<float>& scores,
                    const TensorView<int64_t>& groups,
                    const std::tuple<int, double, double, double>& decay,
                    const TensorView<int64_t>& index, const TensorView<float>& taken_scores,
                    const TensorView<int64_t>& counts, int threads) {
  if (scores.ndim() != 2 || index.ndim() != 2)
    throw py::value_error("scores and index have two axes");
  const int64_t images = scores.shape(0), count = scores.shape(1), limit = index.shape(1);
  boxes.require("boxes", {images, count, 4});
  groups.require("groups", {images, count});
  index.require("index", {images, limit});
  taken_scores.require("taken_scores", {images, limit});
  counts.require("counts", {images});
  const auto [method, iou_threshold, sigma, min_score] = decay;
  const SoftNms task{boxes.data(),
                     scores.data(),
                     groups.data(),
                     images,
                     count,
                     limit,
                     {method, not_above(iou_threshold), static_cast<float>(sigma)},
                     not_above(min_score),
                     index.data(),
                     taken_scores.data(),
                     counts.data()};
  const py::gil_scoped_release release;
  task.run(threads);
}

}  // namespace

void bind_soft_nms(py::module_& module) { module.def("soft_nms", &bound_soft_nms); }

}  // namespace benchsuite

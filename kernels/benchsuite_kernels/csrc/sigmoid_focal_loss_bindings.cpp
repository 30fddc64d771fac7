#include "bindings.hpp"
#include "sigmoid_focal_loss.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

// A negative alpha: ones and zeros weigh alike.
FocalLoss focal_loss(double alpha, double gamma) {
  return {static_cast<float>(alpha < 0 ? 1 : alpha), static_cast<float>(alpha < 0 ? 1 : 1 - alpha),
          static_cast<float>(gamma)};
}

void bound_losses(const TensorView<float>& logits, const TensorView<float>& targets, double alpha,
                  double gamma, const TensorView<float>& losses, int threads) {
  if (targets.size() != logits.size() || losses.size() != logits.size())
    throw py::value_error("targets or losses have another size than the logits");
  const py::gil_scoped_release release;
  focal_losses(focal_loss(alpha, gamma), logits.data(), targets.data(), logits.size(),
               losses.data(), threads);
}

void bound_slopes(const TensorView<float>& gradient, const TensorView<float>& logits,
                  const TensorView<float>& targets, double alpha, double gamma, int threads) {
  if (targets.size() != logits.size() || gradient.size() != logits.size())
    throw py::value_error("targets or gradient have another size than the logits");
  const py::gil_scoped_release release;
  focal_slopes(focal_loss(alpha, gamma), logits.data(), targets.data(), logits.size(),
               gradient.data(), threads);
}

// `logits` are (N, A * K, H * W), or (N, H * W, A * K) where `channels_last`.
FocalMaps focal_maps(const TensorView<float>& logits, bool channels_last,
                     const TensorView<int64_t>& labels, int64_t classes) {
  if (logits.ndim() != 3 || classes < 1 || classes >= int64_t{1} << 31)
    throw py::value_error("logits have three axes, and there are classes");
  const int64_t images = logits.shape(0), channels = logits.shape(channels_last ? 2 : 1);
  const int64_t points = logits.shape(channels_last ? 1 : 2), anchors = channels / classes;
  if (channels % classes) throw py::value_error("channels are no multiple of the classes");
  labels.require("labels", {images, points * anchors});
  return {images, points, anchors, classes, channels_last, logits.data(), labels.data()};
}

double bound_sum(const TensorView<float>& logits, bool channels_last,
                 const TensorView<int64_t>& labels, int64_t classes, double alpha, double gamma,
                 int threads) {
  const FocalMaps maps = focal_maps(logits, channels_last, labels, classes);
  const py::gil_scoped_release release;
  return focal_sum(focal_loss(alpha, gamma), maps, threads);
}

void bound_sum_slopes(double scale, const TensorView<float>& logits, bool channels_last,
                      const TensorView<int64_t>& labels, int64_t classes, double alpha,
                      double gamma, const TensorView<float>& gradient, int threads) {
  const FocalMaps maps = focal_maps(logits, channels_last, labels, classes);
  gradient.require("gradient", {logits.shape(0), logits.shape(1), logits.shape(2)});
  const py::gil_scoped_release release;
  focal_sum_slopes(focal_loss(alpha, gamma), maps, static_cast<float>(scale), gradient.data(),
                   threads);
}

}  // namespace

void bind_sigmoid_focal_loss(py::module_& module) {
  module.def("sigmoid_focal_loss", &bound_losses);
  module.def("sigmoid_focal_loss_backward", &bound_slopes);
  module.def("sigmoid_focal_loss_sum", &bound_sum);
  module.def("sigmoid_focal_loss_sum_backward", &bound_sum_slopes);
}

}  // namespace benchsuite

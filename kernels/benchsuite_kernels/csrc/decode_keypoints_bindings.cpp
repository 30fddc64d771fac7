#include "bindings.hpp"
#include "decode_keypoints.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

template <class T>
void bound_decode_keypoints(const TensorView<T>& maps, const TensorView<float>& boxes,
                            const TensorView<float>& positions, const TensorView<float>& logits,
                            const TensorView<float>& shares, int threads) {
  if (maps.ndim() != 4) throw py::value_error("heat maps have four axes");
  const int64_t count = maps.shape(0), keypoints = maps.shape(1), side = maps.shape(2);
  maps.require("maps", {count, keypoints, side, side});
  boxes.require("boxes", {count, 4});
  positions.require("positions", {count, keypoints, 2});
  logits.require("logits", {count, keypoints});
  shares.require("shares", {count, keypoints});
  if (side < 1) throw py::value_error("heat maps have no cell");
  const py::gil_scoped_release release;
  decode_keypoints(maps.data(), boxes.data(), count, keypoints, side,
                   {positions.data(), logits.data(), shares.data()}, threads);
}

}  // namespace

void bind_decode_keypoints(py::module_& module) {
  module.def("decode_keypoints", &bound_decode_keypoints<float>);
  module.def("decode_keypoints", &bound_decode_keypoints<Half>);
  module.def("decode_keypoints", &bound_decode_keypoints<BFloat16>);
}

}  // namespace benchsuite

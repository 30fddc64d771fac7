#include <vector>

#include "bindings.hpp"
#include "box_coding.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

static_assert(sizeof(Corners) == 4 * sizeof(float), "a row of a tensor is a box");

BoxCoding coding_of(const std::vector<float>& weights) {
  if (weights.empty()) return {{0, 0, 0, 0}, true};
  if (weights.size() != 4) throw py::value_error("weights are four or none");
  return {{weights[0], weights[1], weights[2], weights[3]}, false};
}

ReferenceBoxes references_of(const TensorView<float>& boxes, int64_t repeat, int64_t rows) {
  boxes.require("boxes", {boxes.ndim() == 2 ? boxes.shape(0) : 0, 4});
  if (repeat < 1 || (rows > 0 && boxes.shape(0) == 0))
    throw py::value_error("there are no reference boxes for the rows");
  return {reinterpret_cast<const Corners*>(boxes.data()), boxes.shape(0), repeat};
}

void bound_decode_boxes(const TensorView<float>& values, const TensorView<float>& boxes,
                        int64_t repeat, const std::vector<float>& weights,
                        const TensorView<float>& decoded, int threads) {
  const int64_t rows = values.size() / 4;
  if (decoded.size() != rows * 4) throw py::value_error("values and decoded differ in size");
  const ReferenceBoxes references = references_of(boxes, repeat, rows);
  const BoxCoding coding = coding_of(weights);
  const py::gil_scoped_release release;
  decode_boxes(coding, values.data(), references, rows, reinterpret_cast<Corners*>(decoded.data()),
               threads);
}

void bound_encode_boxes(const TensorView<float>& targets, const TensorView<float>& boxes,
                        int64_t repeat, const std::vector<float>& weights,
                        const TensorView<float>& values, int threads) {
  const int64_t rows = targets.size() / 4;
  if (values.size() != rows * 4) throw py::value_error("targets and values differ in size");
  const ReferenceBoxes references = references_of(boxes, repeat, rows);
  const BoxCoding coding = coding_of(weights);
  const py::gil_scoped_release release;
  encode_boxes(coding, reinterpret_cast<const Corners*>(targets.data()), references, rows,
               values.data(), threads);
}

}  // namespace

void bind_box_coding(py::module_& module) {
  module.def("decode_boxes", &bound_decode_boxes);
  module.def("encode_boxes", &bound_encode_boxes);
}

}  // namespace benchsuite

#include "bindings.hpp"
#include "semantic_argmax.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

// `logits`: classes x height x width, or the classes last.
template <class T, class Label>
void bound_semantic_argmax(const TensorView<T>& logits, bool classes_last, int64_t stride,
                           const Size& resized, const TensorView<Label>& labels, int threads) {
  if (logits.ndim() != 3 || labels.ndim() != 2 || logits.size() == 0 || labels.size() == 0)
    throw py::value_error("logits have three axes, labels two, and none is of length 0");
  LogitGrid<T> grid{logits.data(), 0, 0, 0, 0, 0, 0};
  if (classes_last) {
    grid = {logits.data(), logits.shape(2), logits.shape(0), logits.shape(1), 1,
            logits.shape(1) * logits.shape(2), logits.shape(2)};
  } else {
    grid = {logits.data(), logits.shape(0), logits.shape(1), logits.shape(2),
            logits.shape(1) * logits.shape(2), logits.shape(2), 1};
  }
  if (stride < 1 || resized.first < 1 || resized.second < 1 ||
      resized.first > grid.height * stride || resized.second > grid.width * stride)
    throw py::value_error("the resized image does not lie in the padded one");
  const SemanticSizes sizes{stride, resized.first, resized.second, labels.shape(0),
                            labels.shape(1)};
  const py::gil_scoped_release release;
  semantic_argmax(grid, sizes, labels.data(), threads);
}

template <class T>
void bind(py::module_& module) {
  module.def("semantic_argmax", &bound_semantic_argmax<T, uint8_t>);
  module.def("semantic_argmax", &bound_semantic_argmax<T, int32_t>);
}

}  // namespace

void bind_semantic_argmax(py::module_& module) {
  bind<float>(module);
  bind<Half>(module);
  bind<BFloat16>(module);
}

}  // namespace benchsuite

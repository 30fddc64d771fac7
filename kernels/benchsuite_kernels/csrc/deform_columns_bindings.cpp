#include <array>
#include <optional>

#include "bindings.hpp"
#include "deform_columns.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

using Mask = std::optional<TensorView<float>>;
using Sizes = std::array<int64_t, 8>;  // kernel, stride, padding, dilation: y and x each

DeformColumns deform_columns(const TensorView<float>& input, const TensorView<float>& offset,
                             const Mask& mask, const Sizes& sizes, int64_t groups) {
  if (input.ndim() != 4 || offset.ndim() != 4 || groups < 1)
    throw py::value_error("input and offset have four axes, and there are groups");
  const int64_t points = sizes[0] * sizes[1];
  if (points < 1 || offset.shape(1) % (2 * points))
    throw py::value_error("offset does not fit the kernel");
  DeformColumns task;
  task.images = input.shape(0);
  task.height = input.shape(1);
  task.width = input.shape(2);
  task.channels = input.shape(3);
  task.out_height = offset.shape(2);
  task.out_width = offset.shape(3);
  task.kernel_height = sizes[0];
  task.kernel_width = sizes[1];
  task.stride_y = sizes[2];
  task.stride_x = sizes[3];
  task.padding_y = sizes[4];
  task.padding_x = sizes[5];
  task.dilation_y = sizes[6];
  task.dilation_x = sizes[7];
  task.groups = groups;
  task.offset_groups = offset.shape(1) / (2 * points);
  if (task.offset_groups < 1 || task.channels % groups || task.channels % task.offset_groups ||
      offset.shape(0) != task.images)
    throw py::value_error("input, offset and groups do not fit together");
  if (mask)
    mask->require("mask", {task.images, task.offset_groups * points, task.out_height,
                           task.out_width});
  task.input = input.data();
  task.offset = offset.data();
  task.mask = mask ? mask->data() : nullptr;
  return task;
}

// How many rows `columns` (groups, rows, points * channels / groups) holds, from `begin`.
int64_t rows_of(const DeformColumns& task, const TensorView<float>& columns, int64_t begin) {
  const int64_t rows = columns.ndim() == 3 ? columns.shape(1) : 0;
  columns.require("columns",
                  {task.groups, rows, task.points() * (task.channels / task.groups)});
  if (begin < 0 || begin + rows > task.images * task.out_height * task.out_width)
    throw py::value_error("columns are of rows that are none");
  return rows;
}

void bound_fill(const TensorView<float>& input, const TensorView<float>& offset, const Mask& mask,
                const Sizes& sizes, int64_t groups, int64_t begin,
                const TensorView<float>& columns, int threads) {
  const DeformColumns task = deform_columns(input, offset, mask, sizes, groups);
  const int64_t rows = rows_of(task, columns, begin);
  const py::gil_scoped_release release;
  task.fill(begin, begin + rows, columns.data(), threads);
}

void bound_gradients(const TensorView<float>& input, const TensorView<float>& offset,
                     const Mask& mask, const Sizes& sizes, int64_t groups, int64_t begin,
                     const TensorView<float>& gradient, const TensorView<float>& input_gradient,
                     const TensorView<float>& offset_gradient, const Mask& mask_gradient,
                     int threads) {
  const DeformColumns task = deform_columns(input, offset, mask, sizes, groups);
  const int64_t rows = rows_of(task, gradient, begin);
  if (input_gradient.size() != input.size() || offset_gradient.size() != offset.size() ||
      (mask_gradient && (!mask || mask_gradient->size() != mask->size())))
    throw py::value_error("a gradient has another size than what it is of");
  const py::gil_scoped_release release;
  task.offset_gradients(begin, begin + rows, gradient.data(), offset_gradient.data(),
                        mask_gradient ? mask_gradient->data() : nullptr, threads);
  task.add_input_gradient(begin, begin + rows, gradient.data(), input_gradient.data(), threads);
}

}  // namespace

void bind_deform_columns(py::module_& module) {
  module.def("deform_columns", &bound_fill);
  module.def("deform_columns_backward", &bound_gradients);
}

}  // namespace benchsuite

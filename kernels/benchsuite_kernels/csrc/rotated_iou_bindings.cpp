#include <algorithm>

#include "bindings.hpp"
#include "rotated_iou.hpp"

namespace benchsuite {
namespace {

template <class T>
Array<T> as_array(const std::vector<T>& values) {
  Array<T> array(static_cast<py::ssize_t>(values.size()));
  std::copy(values.begin(), values.end(), array.mutable_data());
  return array;
}

py::tuple overlapping(const Array<double>& detections, const Array<double>& truths,
                      const Array<bool>& crowd, const Array<int64_t>& order,
                      const Array<int64_t>& first, const Array<int64_t>& stop, double least,
                      int threads) {
  if (detections.ndim() != 2 || truths.ndim() != 2)
    throw py::value_error("detections and truths have two axes");
  const py::ssize_t n = detections.shape(0), g = truths.shape(0);
  require(detections, "detections", {n, 8});
  require(truths, "truths", {g, 8});
  require(crowd, "crowd", {g});
  require(order, "order", {g});
  require(first, "first", {n});
  require(stop, "stop", {n});
  require_below(order, "order", g);
  require_below(first, "first", g + 1);
  require_below(stop, "stop", g + 1);
  const rotated::Sides sides{reinterpret_cast<const rotated::Box*>(detections.data()),
                             n,
                             reinterpret_cast<const rotated::Box*>(truths.data()),
                             crowd.data(),
                             order.data(),
                             first.data(),
                             stop.data()};
  rotated::Pairs pairs;
  {
    const py::gil_scoped_release release;
    pairs = rotated::overlapping(sides, least, threads);
  }
  return py::make_tuple(as_array(pairs.starts), as_array(pairs.truths), as_array(pairs.values));
}

}  // namespace

void bind_rotated_iou(py::module_& module) {
  py::module_ functions = module.def_submodule("rotated_iou");
  functions.def("overlapping", &overlapping, py::arg("detections").noconvert(),
                py::arg("truths").noconvert(), py::arg("crowd").noconvert(),
                py::arg("order").noconvert(), py::arg("first").noconvert(),
                py::arg("stop").noconvert(), py::arg("least"), py::arg("threads"));
}

}  // namespace benchsuite

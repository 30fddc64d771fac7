#include "bindings.hpp"
#include "rle.hpp"

namespace benchsuite {
namespace {

py::bytes rle_encode(const Array<bool>& mask) {
  if (mask.ndim() != 2) throw py::value_error("a mask has two axes");
  std::string counts;
  {
    const py::gil_scoped_release release;
    counts = rle::encode(reinterpret_cast<const uint8_t*>(mask.data()), mask.shape(0),
                                     mask.shape(1));
  }
  return counts;
}

py::array rle_decode(const std::string& counts, const Size& size) {
  const auto [height, width] = size;
  const auto runs = rle::runs_of_image(counts, height, width);
  py::array_t<uint8_t, py::array::f_style> mask({height, width});
  uint8_t* data = mask.mutable_data();
  {
    const py::gil_scoped_release release;
    rle::fill(runs, data);
  }
  return std::move(mask);
}

py::tuple rle_to_bbox(const std::string& counts, const Size& size) {
  const auto box = rle::to_box(counts, size.first, size.second);
  return py::make_tuple(box.x, box.y, box.width, box.height);
}

}  // namespace

void bind_rle(py::module_& module) {
  py::module_ functions = module.def_submodule("rle");
  functions.def("encode", &rle_encode, py::arg("mask").noconvert());
  functions.def("decode", &rle_decode, py::arg("counts"), py::arg("size"));
  functions.def("area", [](const std::string& counts) { return rle::area(counts); },
                py::arg("counts"));
  functions.def(
      "validate",
      [](const std::string& counts, const Size& size) {
        return rle::validate(counts, size.first, size.second);
      },
      py::arg("counts"), py::arg("size"));
  functions.def(
      "merge",
      [](const std::vector<std::string>& masks, const Size& size, bool intersect) {
        std::string merged;
        {
          const py::gil_scoped_release release;
          merged = rle::merge(masks, size.first, size.second, intersect);
        }
        return py::bytes(merged);
      },
      py::arg("masks"), py::arg("size"), py::arg("intersect"));
  functions.def("to_bbox", &rle_to_bbox, py::arg("counts"), py::arg("size"));
}

}  // namespace benchsuite

#include "bindings.hpp"
#include "resize.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kLargestSide = int64_t{1} << 24;

Array<uint8_t> bilinear(const Array<uint8_t>& pixels, Size size) {
  const auto [height, width] = size;
  if (pixels.ndim() != 3 || pixels.shape(2) != resize::kChannels || pixels.size() == 0)
    throw py::value_error("pixels are of shape (H, W, 3), neither side of length 0");
  if (height < 1 || width < 1 || height > kLargestSide || width > kLargestSide)
    throw py::value_error("a side is of 1 to 2^24 pixels");
  Array<uint8_t> resized({height, width, resize::kChannels});
  {
    const uint8_t* source = pixels.data();
    uint8_t* target = resized.mutable_data();
    const int64_t old_height = pixels.shape(0), old_width = pixels.shape(1);
    const py::gil_scoped_release release;
    resize::bilinear(source, old_height, old_width, target, height, width);
  }
  return resized;
}

}  // namespace

void bind_resize(py::module_& module) {
  py::module_ functions = module.def_submodule("resize");
  functions.def("bilinear", &bilinear, py::arg("pixels").noconvert(), py::arg("size"));
}

}  // namespace benchsuite

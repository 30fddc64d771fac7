#include <array>

#include "bindings.hpp"
#include "resize.hpp"
#include "resize_batch.hpp"
#include "row_resizer.hpp"
#include "tensor_view.hpp"

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

using Three = std::array<double, 3>;

// `sizes`: height and width of each image in the batch; `batch`: as it lies in memory.
template <class T>
void bound_resize_normalise_pad(const std::vector<TensorView<uint8_t>>& images,
                                const std::vector<int64_t>& sizes, const Three& mean,
                                const Three& std, bool reversed, bool channels_last,
                                const TensorView<T>& batch, int threads) {
  const int64_t count = static_cast<int64_t>(images.size());
  if (batch.ndim() != 4 || sizes.size() != 2 * images.size())
    throw py::value_error("images, sizes and batch do not fit together");
  const resize::BatchShape shape{batch.shape(channels_last ? 1 : 2),
                                 batch.shape(channels_last ? 2 : 3), channels_last};
  if (channels_last)
    batch.require("batch", {count, shape.height, shape.width, resize::kChannels});
  else
    batch.require("batch", {count, resize::kChannels, shape.height, shape.width});
  if (shape.height > kLargestSide || shape.width > kLargestSide)
    throw py::value_error("a side is of 1 to 2^24 pixels");
  std::vector<resize::SourceImage> sources;
  for (int64_t i = 0; i < count; ++i) {
    const TensorView<uint8_t>& image = images[i];
    const int64_t height = sizes[2 * i], width = sizes[2 * i + 1];
    if (image.ndim() != 3 || image.shape(2) != resize::kChannels || image.size() == 0)
      throw py::value_error("an image is of shape (H, W, 3), neither side of length 0");
    if (height < 1 || width < 1 || height > shape.height || width > shape.width)
      throw py::value_error("a resized image does not lie in the batch");
    sources.push_back({image.data(), image.shape(0), image.shape(1), height, width});
  }
  resize::Normalisation normalisation{{}, {}, reversed};
  for (size_t c = 0; c < mean.size(); ++c) {
    normalisation.mean[c] = static_cast<float>(mean[c]);
    normalisation.std[c] = static_cast<float>(std[c]);
  }
  const py::gil_scoped_release release;
  resize::resize_normalise_pad(sources, normalisation, shape, batch.data(), threads);
}

}  // namespace

void bind_resize(py::module_& module) {
  py::module_ functions = module.def_submodule("resize");
  functions.def("bilinear", &bilinear, py::arg("pixels").noconvert(), py::arg("size"));
  module.def("resize_normalise_pad", &bound_resize_normalise_pad<float>);
  module.def("resize_normalise_pad", &bound_resize_normalise_pad<Half>);
  module.def("resize_normalise_pad", &bound_resize_normalise_pad<BFloat16>);
}

}  // namespace benchsuite

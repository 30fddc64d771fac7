#include "bindings.hpp"
#include "roi_align.hpp"

namespace benchsuite {
namespace {

// The levels of a feature pyramid, of which all have so many images and channels.
std::vector<PyramidLevel> pyramid(const std::vector<Array<float>>& features, bool channels_last,
                                  int64_t images, int64_t channels,
                                  const std::vector<double>& scales) {
  std::vector<PyramidLevel> levels;
  for (size_t i = 0; i < features.size(); ++i) {
    const Array<float>& feature = features[i];
    if (feature.ndim() != 4) throw py::value_error("features have four axes");
    const int64_t height = feature.shape(channels_last ? 1 : 2);
    const int64_t width = feature.shape(channels_last ? 2 : 3);
    if (channels_last)
      require(feature, "features", {images, height, width, channels});
    else
      require(feature, "features", {images, channels, height, width});
    levels.push_back({feature.data(), height, width, static_cast<float>(scales[i])});
  }
  return levels;
}

void bound_roi_align(const std::vector<Array<float>>& features, bool channels_last,
                     const Array<float>& boxes, const Array<int64_t>& batch_index,
                     const Array<int64_t>& levels, const std::vector<double>& scales,
                     int sampling_ratio, Array<float> output, int threads) {
  if (features.empty() || features.size() != scales.size() || output.ndim() != 4)
    throw py::value_error("levels, scales and output do not fit together");
  const int64_t count = output.shape(0), channels = output.shape(1), bins = output.shape(2);
  const int64_t images = features[0].ndim() == 4 ? features[0].shape(0) : 0;
  RoiAlign task;
  task.levels = pyramid(features, channels_last, images, channels, scales);
  require(boxes, "boxes", {count, 4});
  require(batch_index, "batch_index", {count});
  require(levels, "levels", {count});
  require(output, "output", {count, channels, bins, bins});
  require_below(batch_index, "batch_index", images);
  require_below(levels, "levels", static_cast<int64_t>(features.size()));
  task.channels = channels;
  task.channels_last = channels_last;
  task.bins = static_cast<int>(bins);
  task.sampling_ratio = sampling_ratio;
  task.boxes = count;
  task.box = boxes.data();
  task.batch_index = batch_index.data();
  task.level = levels.data();
  task.output = output.mutable_data();
  const py::gil_scoped_release release;
  task.run(threads);
}

void bound_roi_align_backward(std::vector<Array<float>> sums, bool channels_last,
                              const Array<float>& boxes, const Array<int64_t>& batch_index,
                              const Array<int64_t>& levels, const std::vector<double>& scales,
                              int sampling_ratio, const Array<float>& gradient, int threads) {
  if (sums.empty() || sums.size() != scales.size() || gradient.ndim() != 4)
    throw py::value_error("levels, scales and gradient do not fit together");
  const int64_t count = gradient.shape(0), channels = gradient.shape(1), bins = gradient.shape(2);
  const int64_t images = sums[0].ndim() == 4 ? sums[0].shape(0) : 0;
  RoiAlignBackward task;
  task.levels = pyramid(sums, channels_last, images, channels, scales);
  for (Array<float>& sum : sums) task.sums.push_back(sum.mutable_data());
  require(boxes, "boxes", {count, 4});
  require(batch_index, "batch_index", {count});
  require(levels, "levels", {count});
  require(gradient, "gradient", {count, channels, bins, bins});
  require_below(batch_index, "batch_index", images);
  require_below(levels, "levels", static_cast<int64_t>(sums.size()));
  task.channels = channels;
  task.channels_last = channels_last;
  task.bins = static_cast<int>(bins);
  task.sampling_ratio = sampling_ratio;
  task.boxes = count;
  task.box = boxes.data();
  task.batch_index = batch_index.data();
  task.level = levels.data();
  task.gradient = gradient.data();
  const py::gil_scoped_release release;
  task.run(threads);
}

}  // namespace

void bind_ops(py::module_& module) {
  module.def("roi_align", &bound_roi_align, py::arg("features").noconvert(), py::arg("channels_last"),
             py::arg("boxes").noconvert(), py::arg("batch_index").noconvert(),
             py::arg("levels").noconvert(), py::arg("scales"), py::arg("sampling_ratio"),
             py::arg("output").noconvert(), py::arg("threads"));
  module.def("roi_align_backward", &bound_roi_align_backward, py::arg("sums").noconvert(),
             py::arg("channels_last"), py::arg("boxes").noconvert(),
             py::arg("batch_index").noconvert(), py::arg("levels").noconvert(), py::arg("scales"),
             py::arg("sampling_ratio"), py::arg("gradient").noconvert(), py::arg("threads"));
}

}  // namespace benchsuite

// The extension module benchsuite_kernels._native: arrays in, arrays and bytes out, GIL released.
//
// Arguments are taken as they are: an array of another dtype or memory order is a TypeError, so
// that nothing is copied unseen. The Python side checks shapes against each other; what could read
// outside an array is checked here again.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "batched_nms.hpp"
#include "paste_masks.hpp"
#include "rle.hpp"
#include "roi_align.hpp"

namespace py = pybind11;

namespace {

// Changes with every change of a function below; see INTERFACE in dispatch.py.
constexpr int kInterface = 1;

template <class T>
using Array = py::array_t<T, py::array::c_style>;
using Size = std::pair<int64_t, int64_t>;

template <class T>
void require(const Array<T>& array, const char* name, std::vector<py::ssize_t> shape) {
  bool fits = array.ndim() == static_cast<py::ssize_t>(shape.size());
  for (size_t axis = 0; fits && axis < shape.size(); ++axis)
    fits = array.shape(axis) == shape[axis];
  if (!fits) throw py::value_error(std::string(name) + " has another shape than the rest");
}

void require_below(const Array<int64_t>& index, const char* name, int64_t limit) {
  for (py::ssize_t i = 0; i < index.size(); ++i)
    if (index.data()[i] < 0 || index.data()[i] >= limit)
      throw py::value_error(std::string(name) + "[" + std::to_string(i) + "] is " +
                            std::to_string(index.data()[i]) + ", outside 0 to " +
                            std::to_string(limit - 1));
}

py::bytes rle_encode(const Array<bool>& mask) {
  if (mask.ndim() != 2) throw py::value_error("a mask has two axes");
  std::string counts;
  {
    const py::gil_scoped_release release;
    counts = benchsuite::rle::encode(reinterpret_cast<const uint8_t*>(mask.data()), mask.shape(0),
                                     mask.shape(1));
  }
  return counts;
}

py::array rle_decode(const std::string& counts, const Size& size) {
  const auto [height, width] = size;
  const auto runs = benchsuite::rle::runs_of_image(counts, height, width);
  py::array_t<uint8_t, py::array::f_style> mask({height, width});
  uint8_t* data = mask.mutable_data();
  {
    const py::gil_scoped_release release;
    benchsuite::rle::fill(runs, data);
  }
  return std::move(mask);
}

py::tuple rle_to_bbox(const std::string& counts, const Size& size) {
  const auto box = benchsuite::rle::to_box(counts, size.first, size.second);
  return py::make_tuple(box.x, box.y, box.width, box.height);
}

void roi_align(const std::vector<Array<float>>& features, bool channels_last,
               const Array<float>& boxes, const Array<int64_t>& batch_index,
               const Array<int64_t>& levels, const std::vector<double>& scales, int sampling_ratio,
               Array<float> output, int threads) {
  if (features.empty() || features.size() != scales.size() || output.ndim() != 4)
    throw py::value_error("levels, scales and output do not fit together");
  const int64_t count = output.shape(0), channels = output.shape(1), bins = output.shape(2);
  const int64_t images = features[0].ndim() == 4 ? features[0].shape(0) : 0;
  benchsuite::RoiAlign task;
  for (size_t i = 0; i < features.size(); ++i) {
    const Array<float>& feature = features[i];
    if (feature.ndim() != 4) throw py::value_error("features have four axes");
    const int64_t height = feature.shape(channels_last ? 1 : 2);
    const int64_t width = feature.shape(channels_last ? 2 : 3);
    if (channels_last)
      require(feature, "features", {images, height, width, channels});
    else
      require(feature, "features", {images, channels, height, width});
    task.levels.push_back({feature.data(), height, width, static_cast<float>(scales[i])});
  }
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

Array<int64_t> batched_nms(const Array<float>& boxes, const Array<float>& scores,
                           const Array<int64_t>& groups, double iou_threshold, int threads) {
  const py::ssize_t count = scores.size();
  require(boxes, "boxes", {count, 4});
  require(scores, "scores", {count});
  require(groups, "groups", {count});
  std::vector<int64_t> kept;
  {
    const py::gil_scoped_release release;
    kept = benchsuite::batched_nms(boxes.data(), scores.data(), groups.data(), count,
                                   iou_threshold, threads);
  }
  return Array<int64_t>(static_cast<py::ssize_t>(kept.size()), kept.data());
}

py::list paste_masks(const Array<float>& masks, const Array<float>& boxes, const Size& size,
                     double threshold, int threads) {
  if (masks.ndim() != 3) throw py::value_error("masks have three axes");
  const py::ssize_t count = masks.shape(0), side = masks.shape(1);
  require(masks, "masks", {count, side, side});
  require(boxes, "boxes", {count, 4});
  std::vector<std::string> counts;
  {
    const py::gil_scoped_release release;
    counts = benchsuite::paste_masks(masks.data(), boxes.data(), count, side, size.first,
                                     size.second, static_cast<float>(threshold), threads);
  }
  py::list result(counts.size());
  for (size_t i = 0; i < counts.size(); ++i) result[i] = py::bytes(counts[i]);
  return result;
}

}  // namespace

PYBIND11_MODULE(_native, module, py::mod_gil_not_used()) {
  module.attr("INTERFACE") = kInterface;

  py::module_ rle = module.def_submodule("rle");
  rle.def("encode", &rle_encode, py::arg("mask").noconvert());
  rle.def("decode", &rle_decode, py::arg("counts"), py::arg("size"));
  rle.def("area", [](const std::string& counts) { return benchsuite::rle::area(counts); },
          py::arg("counts"));
  rle.def(
      "validate",
      [](const std::string& counts, const Size& size) {
        return benchsuite::rle::validate(counts, size.first, size.second);
      },
      py::arg("counts"), py::arg("size"));
  rle.def("to_bbox", &rle_to_bbox, py::arg("counts"), py::arg("size"));

  module.def("roi_align", &roi_align, py::arg("features").noconvert(), py::arg("channels_last"),
             py::arg("boxes").noconvert(), py::arg("batch_index").noconvert(),
             py::arg("levels").noconvert(), py::arg("scales"), py::arg("sampling_ratio"),
             py::arg("output").noconvert(), py::arg("threads"));
  module.def("batched_nms", &batched_nms, py::arg("boxes").noconvert(),
             py::arg("scores").noconvert(), py::arg("groups").noconvert(),
             py::arg("iou_threshold"), py::arg("threads"));
  module.def("paste_masks", &paste_masks, py::arg("masks").noconvert(),
             py::arg("boxes").noconvert(), py::arg("size"), py::arg("threshold"),
             py::arg("threads"));
}

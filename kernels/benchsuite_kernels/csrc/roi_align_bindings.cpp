#include "bindings.hpp"
#include "feature_map.hpp"
#include "roi_align.hpp"

namespace benchsuite {
namespace {

// A task without its boxes. All maps lie the same way, and have as many images and channels.
template <class Task>
Task task_over(const std::vector<FeatureMap>& maps, const std::vector<double>& scales) {
  if (maps.empty() || maps.size() != scales.size())
    throw py::value_error("maps and scales do not fit together");
  Task task;
  bool planes = true;
  task.channels = maps[0].channels;
  task.channels_last = true;
  for (size_t i = 0; i < maps.size(); ++i) {
    if (maps[i].images != maps[0].images || maps[i].channels != maps[0].channels)
      throw py::value_error("maps have other images or channels than the first");
    planes = planes && maps[i].planes;
    task.channels_last = task.channels_last && maps[i].channels_last;
    task.levels.push_back(
        {maps[i].data, maps[i].height, maps[i].width, static_cast<float>(scales[i])});
  }
  if (!planes && !task.channels_last) throw py::value_error("maps lie in different ways");
  return task;
}

// `pooled` is the output, or its gradient.
template <class Task>
void set_boxes(Task& task, int64_t images, const TensorView<float>& boxes,
               const TensorView<int64_t>& batch_index, const TensorView<int64_t>& levels,
               int sampling_ratio, const TensorView<float>& pooled) {
  const int64_t count = boxes.size() / 4;
  if (pooled.ndim() != 4) throw py::value_error("what is pooled has four axes");
  boxes.require("boxes", {count, 4});
  batch_index.require("batch_index", {count});
  levels.require("levels", {count});
  pooled.require("what is pooled", {count, task.channels, pooled.shape(2), pooled.shape(2)});
  batch_index.require_below("batch_index", images);
  levels.require_below("levels", static_cast<int64_t>(task.levels.size()));
  task.bins = static_cast<int>(pooled.shape(2));
  task.sampling_ratio = sampling_ratio;
  task.boxes = count;
  task.box = boxes.data();
  task.batch_index = batch_index.data();
  task.level = levels.data();
}

void bound_roi_align(const std::vector<FeatureMap>& features, const TensorView<float>& boxes,
                     const TensorView<int64_t>& batch_index, const TensorView<int64_t>& levels,
                     const std::vector<double>& scales, int sampling_ratio,
                     const TensorView<float>& output, int threads) {
  auto task = task_over<RoiAlign>(features, scales);
  set_boxes(task, features[0].images, boxes, batch_index, levels, sampling_ratio, output);
  task.output = output.data();
  const py::gil_scoped_release release;
  task.run(threads);
}

void bound_roi_align_backward(const std::vector<FeatureMap>& sums, const TensorView<float>& boxes,
                              const TensorView<int64_t>& batch_index,
                              const TensorView<int64_t>& levels, const std::vector<double>& scales,
                              int sampling_ratio, const TensorView<float>& gradient, int threads) {
  auto task = task_over<RoiAlignBackward>(sums, scales);
  set_boxes(task, sums[0].images, boxes, batch_index, levels, sampling_ratio, gradient);
  for (const FeatureMap& sum : sums) task.sums.push_back(sum.data);
  task.gradient = gradient.data();
  const py::gil_scoped_release release;
  task.run(threads);
}

}  // namespace

void bind_roi_align(py::module_& module) {
  module.def("roi_align", &bound_roi_align);
  module.def("roi_align_backward", &bound_roi_align_backward);
}

}  // namespace benchsuite

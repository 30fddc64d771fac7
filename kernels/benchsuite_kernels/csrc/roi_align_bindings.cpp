#include "bindings.hpp"
#include "feature_map.hpp"
#include "roi_align.hpp"
#include "roi_align_rotated.hpp"

namespace benchsuite {
namespace {

// A task without its boxes. All maps lie the same way, and have as many images and channels.
template <class Task, class T>
Task task_over(const std::vector<FeatureMap<T>>& maps, const std::vector<double>& scales) {
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
    task.levels.push_back({maps[i].height, maps[i].width, static_cast<float>(scales[i])});
  }
  if (!planes && !task.channels_last) throw py::value_error("maps lie in different ways");
  return task;
}

template <class T>
RoiAlign<T> pooling_of(const std::vector<FeatureMap<T>>& features,
                       const std::vector<double>& scales) {
  auto task = task_over<RoiAlign<T>>(features, scales);
  for (const FeatureMap<T>& feature : features) task.maps.push_back(feature.data);
  return task;
}

// `pooled` is the output, or its gradient.
template <class Task>
void set_boxes(Task& task, const TensorView<float>& boxes, int64_t coordinates,
               const TensorView<int64_t>& batch_index, const TensorView<int64_t>& levels,
               int sampling_ratio, const TensorView<float>& pooled) {
  const int64_t count = boxes.size() / coordinates;
  if (pooled.ndim() != 4) throw py::value_error("what is pooled has four axes");
  boxes.require("boxes", {count, coordinates});
  batch_index.require("batch_index", {count});
  levels.require("levels", {count});
  pooled.require("what is pooled", {count, task.channels, pooled.shape(2), pooled.shape(2)});
  task.bins = static_cast<int>(pooled.shape(2));
  task.sampling_ratio = sampling_ratio;
  task.boxes = count;
  task.box = boxes.data();
  task.batch_index = batch_index.data();
  task.level = levels.data();
}

template <class T>
void require_places(const TensorView<int64_t>& batch_index, const TensorView<int64_t>& levels,
                    const std::vector<FeatureMap<T>>& maps) {
  batch_index.require_below("batch_index", maps[0].images);
  levels.require_below("levels", static_cast<int64_t>(maps.size()));
}

template <class T>
void bound_roi_align(const std::vector<FeatureMap<T>>& features, const TensorView<float>& boxes,
                     const TensorView<int64_t>& batch_index, const TensorView<int64_t>& levels,
                     const std::vector<double>& scales, int sampling_ratio,
                     const TensorView<float>& output, int threads) {
  auto task = pooling_of(features, scales);
  set_boxes(task, boxes, 4, batch_index, levels, sampling_ratio, output);
  require_places(batch_index, levels, features);
  task.output = output.data();
  const py::gil_scoped_release release;
  task.run(threads);
}

void bound_roi_align_backward(const std::vector<FeatureMap<float>>& sums,
                              const TensorView<float>& boxes,
                              const TensorView<int64_t>& batch_index,
                              const TensorView<int64_t>& levels, const std::vector<double>& scales,
                              int sampling_ratio, const TensorView<float>& gradient, int threads) {
  auto task = task_over<RoiAlignBackward>(sums, scales);
  set_boxes(task, boxes, 4, batch_index, levels, sampling_ratio, gradient);
  require_places(batch_index, levels, sums);
  for (const FeatureMap<float>& sum : sums) task.sums.push_back(sum.data);
  task.gradient = gradient.data();
  const py::gil_scoped_release release;
  task.run(threads);
}

void bound_roi_align_rotated(const std::vector<FeatureMap<float>>& features,
                             const TensorView<float>& boxes,
                             const TensorView<int64_t>& batch_index,
                             const TensorView<int64_t>& levels, const std::vector<double>& scales,
                             int sampling_ratio, const TensorView<float>& output, int threads) {
  auto task = pooling_of(features, scales);
  set_boxes(task, boxes, 5, batch_index, levels, sampling_ratio, output);
  task.output = output.data();
  const py::gil_scoped_release release;
  roi_align_rotated(task, features[0].images, threads);
}

void bound_roi_align_rotated_backward(const std::vector<FeatureMap<float>>& sums,
                                      const TensorView<float>& boxes,
                                      const TensorView<int64_t>& batch_index,
                                      const TensorView<int64_t>& levels,
                                      const std::vector<double>& scales, int sampling_ratio,
                                      const TensorView<float>& gradient, int threads) {
  auto task = task_over<RoiAlignBackward>(sums, scales);
  set_boxes(task, boxes, 5, batch_index, levels, sampling_ratio, gradient);
  for (const FeatureMap<float>& sum : sums) task.sums.push_back(sum.data);
  task.gradient = gradient.data();
  const py::gil_scoped_release release;
  roi_align_rotated_backward(task, sums[0].images, threads);
}

}  // namespace

void bind_roi_align(py::module_& module) {
  module.def("roi_align", &bound_roi_align<float>);
  module.def("roi_align", &bound_roi_align<Half>);
  module.def("roi_align", &bound_roi_align<BFloat16>);
  module.def("roi_align_backward", &bound_roi_align_backward);
  module.def("roi_align_rotated", &bound_roi_align_rotated);
  module.def("roi_align_rotated_backward", &bound_roi_align_rotated_backward);
}

}  // namespace benchsuite

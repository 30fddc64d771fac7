// What the files that bind kernels to Python share: arrays as arguments, and their checks.
//
// Each family of kernels has a file <family>_bindings.cpp with one function, which module.cpp calls.
// Arguments are taken as they are: an array of another dtype or memory order is a TypeError, so
// that nothing is copied unseen. The Python side checks shapes against each other; what could read
// outside an array is checked here again.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace benchsuite {

namespace py = pybind11;

void bind_batched_nms(py::module_& module);
void bind_box_coding(py::module_& module);
void bind_coco_json(py::module_& module);
void bind_decode_keypoints(py::module_& module);
void bind_deform_columns(py::module_& module);
void bind_detection_match(py::module_& module);
void bind_federated(py::module_& module);
void bind_instance_maps(py::module_& module);
void bind_label_maps(py::module_& module);
void bind_mask_targets(py::module_& module);
void bind_match_boxes(py::module_& module);
void bind_nms_rotated(py::module_& module);
void bind_packed_masks(py::module_& module);
void bind_pairwise_iou(py::module_& module);
void bind_panoptic_merge(py::module_& module);
void bind_paste_masks(py::module_& module);
void bind_precision_recall(py::module_& module);
void bind_proposals(py::module_& module);
void bind_resize(py::module_& module);
void bind_rle(py::module_& module);
void bind_rle_batch(py::module_& module);
void bind_roi_align(py::module_& module);
void bind_rotated_iou(py::module_& module);
void bind_selection(py::module_& module);
void bind_semantic_argmax(py::module_& module);
void bind_sigmoid_focal_loss(py::module_& module);
void bind_soft_nms(py::module_& module);

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

inline void require_below(const Array<int64_t>& index, const char* name, int64_t limit) {
  for (py::ssize_t i = 0; i < index.size(); ++i)
    if (index.data()[i] < 0 || index.data()[i] >= limit)
      throw py::value_error(std::string(name) + "[" + std::to_string(i) + "] is " +
                            std::to_string(index.data()[i]) + ", outside 0 to " +
                            std::to_string(limit - 1));
}

}  // namespace benchsuite

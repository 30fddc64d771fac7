// The extension module benchsuite_kernels._native: arrays in, arrays and bytes out, GIL released.
#include "bindings.hpp"

namespace {

// Changes with every change of a bound function; see INTERFACE in dispatch.py.
constexpr int kInterface = 5;

}  // namespace

PYBIND11_MODULE(_native, module, pybind11::mod_gil_not_used()) {
  module.attr("INTERFACE") = kInterface;
  benchsuite::bind_batched_nms(module);
  benchsuite::bind_box_coding(module);
  benchsuite::bind_coco_json(module);
  benchsuite::bind_decode_keypoints(module);
  benchsuite::bind_deform_columns(module);
  benchsuite::bind_detection_match(module);
  benchsuite::bind_federated(module);
  benchsuite::bind_instance_maps(module);
  benchsuite::bind_label_maps(module);
  benchsuite::bind_mask_targets(module);
  benchsuite::bind_match_boxes(module);
  benchsuite::bind_nms_rotated(module);
  benchsuite::bind_packed_masks(module);
  benchsuite::bind_pairwise_iou(module);
  benchsuite::bind_panoptic_merge(module);
  benchsuite::bind_paste_masks(module);
  benchsuite::bind_precision_recall(module);
  benchsuite::bind_proposals(module);
  benchsuite::bind_resize(module);
  benchsuite::bind_rle(module);
  benchsuite::bind_rle_batch(module);
  benchsuite::bind_roi_align(module);
  benchsuite::bind_rotated_iou(module);
  benchsuite::bind_selection(module);
  benchsuite::bind_semantic_argmax(module);
  benchsuite::bind_sigmoid_focal_loss(module);
  benchsuite::bind_soft_nms(module);
}

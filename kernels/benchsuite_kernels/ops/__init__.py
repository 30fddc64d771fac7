"""Operators on tensors. Each module holds one, with its plain torch reference."""

from __future__ import annotations

from benchsuite_kernels.ops.anchor_grid import AnchorGrid
from benchsuite_kernels.ops.batched_nms import batched_nms
from benchsuite_kernels.ops.box_selection import box_selection
from benchsuite_kernels.ops.crop_packed_masks import crop_packed_masks
from benchsuite_kernels.ops.decode_boxes import decode_boxes
from benchsuite_kernels.ops.decode_keypoints import KeypointPeaks, decode_keypoints
from benchsuite_kernels.ops.deform_conv2d import deform_conv2d
from benchsuite_kernels.ops.dense_selection import dense_selection
from benchsuite_kernels.ops.encode_boxes import encode_boxes
from benchsuite_kernels.ops.match_boxes import match_boxes, match_shared_boxes
from benchsuite_kernels.ops.nms_per_image import nms_per_image
from benchsuite_kernels.ops.nms_rotated import batched_nms_rotated, nms_rotated
from benchsuite_kernels.ops.nms_rotated_per_image import nms_rotated_per_image
from benchsuite_kernels.ops.packed_masks import (
    pack_masks,
    packed_area,
    packed_intersection,
    packed_iou,
    packed_merge,
    unpack_masks,
)
from benchsuite_kernels.ops.packed_runs import packed_from_rle, packed_to_rle
from benchsuite_kernels.ops.pairwise_iou import pairwise_iou
from benchsuite_kernels.ops.pairwise_iou_rotated import pairwise_iou_rotated
from benchsuite_kernels.ops.panoptic_merge import (
    PanopticSegments,
    panoptic_merge,
    panoptic_merge_rle,
)
from benchsuite_kernels.ops.paste_masks import paste_masks_to_packed, paste_masks_to_rle
from benchsuite_kernels.ops.polygon_targets import polygon_targets
from benchsuite_kernels.ops.resize_normalise_pad import resize_normalise_pad
from benchsuite_kernels.ops.roi_align import roi_align
from benchsuite_kernels.ops.roi_align_rotated import roi_align_rotated
from benchsuite_kernels.ops.rpn_selection import rpn_selection
from benchsuite_kernels.ops.semantic_argmax import semantic_argmax
from benchsuite_kernels.ops.sigmoid_focal_loss import sigmoid_focal_loss
from benchsuite_kernels.ops.sigmoid_focal_loss_sum import sigmoid_focal_loss_sum
from benchsuite_kernels.ops.soft_nms import soft_nms

__all__ = [
    "AnchorGrid",
    "KeypointPeaks",
    "PanopticSegments",
    "batched_nms",
    "batched_nms_rotated",
    "box_selection",
    "crop_packed_masks",
    "decode_boxes",
    "decode_keypoints",
    "deform_conv2d",
    "dense_selection",
    "encode_boxes",
    "match_boxes",
    "match_shared_boxes",
    "nms_per_image",
    "nms_rotated",
    "nms_rotated_per_image",
    "pack_masks",
    "packed_area",
    "packed_from_rle",
    "packed_intersection",
    "packed_iou",
    "packed_merge",
    "packed_to_rle",
    "pairwise_iou",
    "pairwise_iou_rotated",
    "panoptic_merge",
    "panoptic_merge_rle",
    "paste_masks_to_packed",
    "paste_masks_to_rle",
    "polygon_targets",
    "resize_normalise_pad",
    "roi_align",
    "roi_align_rotated",
    "rpn_selection",
    "semantic_argmax",
    "sigmoid_focal_loss",
    "sigmoid_focal_loss_sum",
    "soft_nms",
    "unpack_masks",
]

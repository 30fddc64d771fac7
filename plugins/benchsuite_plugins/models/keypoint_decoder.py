"""From heat maps over boxes to keypoints, to the conventions of Detectron2 and of torchvision."""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_kernels import ops


def decode_keypoints(logits: Tensor, boxes: Tensor) -> Tensor:
    """The best position of every keypoint in every box, scored as Detectron2 does: by its share of
    the softmax over the heat map, which between cells may be more than 1.

    Args:
        logits: (R, K, M, M) floating, heat maps.
        boxes: (R, 4) float32, xyxy, pixels; finite.

    Returns:
        (R, K, 3) float32: x and y in pixels, on the continuous plane of the boxes, and the score.
    """
    peaks = ops.decode_keypoints(logits, boxes)
    return torch.cat([peaks.positions, peaks.shares[..., None]], dim=-1)


def find_peaks(logits: Tensor, boxes: Tensor) -> Tensor:
    """The best position of every keypoint in every box, scored as torchvision does: by its logit.

    Args:
        logits: (R, K, M, M) floating, heat maps.
        boxes: (R, 4) float32, xyxy, pixels; finite.

    Returns:
        (R, K, 3) float32: x and y in pixels, on the continuous plane of the boxes, and the logit.
    """
    peaks = ops.decode_keypoints(logits, boxes)
    return torch.cat([peaks.positions, peaks.logits[..., None]], dim=-1)

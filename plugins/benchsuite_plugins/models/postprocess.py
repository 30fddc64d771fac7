"""From detections in the resized image to predictions in the original one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchsuite.records import RLE, Prediction
from benchsuite_kernels import ops
from benchsuite_plugins.models.boxes import clip_boxes, larger_than
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.presence import drop_absent

PasteMasks = Callable[[Tensor, Tensor, Tensor, Sequence[tuple[int, int]]], list[bytes]]
"""Masks (R, M, M) over boxes (R, 4) into the images (R,) of a batch, each of a height and width:
the COCO RLE of each mask."""


def detections_to_predictions(
    detections: Detections,
    sizes: Tensor,
    original_sizes: Tensor,
    *,
    paste: PasteMasks = ops.paste_masks_to_rle,
    min_size: float = 0.0,
) -> list[Prediction]:
    """Rescale and clip boxes, drop those that are too small, rescale keypoints, paste masks.

    Args:
        sizes: (N, 2), height and width of each resized image before padding.
        original_sizes: (N, 2), height and width of each image as it was given.
        paste: how masks are pasted.
        min_size: both sides of a box must be greater, in pixels of the original image; below 0:
            those without extent stay.

    Returns:
        N predictions, best score first; an image without detections has an empty one.
    """
    detections = drop_absent(detections)
    image_index = detections.image_index
    # Height and width are scaled apart: the resize rounds each to whole pixels.
    scale = (original_sizes / sizes).flip(-1).repeat(1, 2)
    boxes = clip_boxes(detections.boxes * scale[image_index], original_sizes[image_index])
    kept = larger_than(boxes, min_size).nonzero().squeeze(1)
    counts = image_index[kept].bincount(minlength=len(sizes)).tolist()
    boxes = boxes[kept]
    scores = detections.scores[kept].cpu().numpy()
    labels = detections.labels[kept].cpu().numpy()
    shapes = [(height, width) for height, width in original_sizes.long().tolist()]
    pasted = None
    if detections.masks is not None:
        pasted = paste(detections.masks[kept], boxes, image_index[kept], shapes)
    keypoints = None
    if detections.keypoints is not None:
        found = detections.keypoints[kept]
        position = found[..., :2] * scale[image_index[kept], None, :2]
        keypoints = torch.cat([position, found[..., 2:]], dim=-1).cpu().numpy()
    predictions, start = [], 0
    for count, shape in zip(counts, shapes, strict=True):
        rows = slice(start, start + count)
        start += count
        prediction = Prediction(
            boxes[rows].cpu().numpy(),
            scores[rows],
            labels[rows],
            keypoints=None if keypoints is None else keypoints[rows],
        )
        if pasted is not None:
            prediction.masks = [RLE(shape, run_lengths) for run_lengths in pasted[rows]]
        predictions.append(prediction)
    return predictions

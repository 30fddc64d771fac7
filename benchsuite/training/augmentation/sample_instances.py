"""The instances of a sample: choosing among them, joining several samples', their masks and boxes.

What a sample is, ``benchsuite.training.augmentation.samples`` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors

from benchsuite.targets import Polygons
from benchsuite.training.augmentation.outlines import Outlines
from benchsuite.training.augmentation.sample_tensors import Boxes, Keypoints
from benchsuite_kernels.columns import rle

Sample = dict[str, Any]
"""See ``benchsuite.training.augmentation.samples``."""

OF_INSTANCES = ("boxes", "labels", "outlines", "bitmaps", "outlined", "keypoints")
"""Keys of a sample whose rows are instances."""

EMPTY_SIDE = 1e-5
"""Pixels: a box is empty unless both sides are longer (as in Detectron2)."""


def of_instances(sample: Sample, kept: NDArray[np.bool_]) -> Sample:
    """The sample with some of its instances: ``kept`` is (N,) bool."""
    if kept.all():
        return sample
    rows = torch.from_numpy(kept)
    chosen = dict(sample)
    for key in OF_INSTANCES:
        value = sample.get(key)
        if isinstance(value, Outlines):
            chosen[key] = value.of_instances(kept)
        elif isinstance(value, Keypoints):
            chosen[key] = value.with_visibility(_plain(value)[rows], value.visibility[rows])
        elif isinstance(value, tv_tensors.BoundingBoxes):
            chosen[key] = Boxes(_plain(value)[rows], canvas_size=value.canvas_size)
        elif isinstance(value, tv_tensors.Mask):
            chosen[key] = tv_tensors.Mask(_plain(value)[rows])
        elif value is not None:
            chosen[key] = value[rows]
    return chosen


def without_empty(sample: Sample, *, recompute_boxes: bool = False) -> Sample:
    """The sample with boxes cut to the image and without instances that nothing is left of.

    Args:
        recompute_boxes: whether boxes are made anew round the masks.
    """
    sample = _clipped(sample)
    sample = of_instances(sample, _has_area(sample["boxes"]))
    if "outlined" not in sample:
        return sample
    boxes = mask_boxes(sample)
    filled = boxes[:, 2] > boxes[:, 0]
    if recompute_boxes:
        canvas_size = sample["boxes"].canvas_size
        sample = _clipped(sample | {"boxes": Boxes(boxes, canvas_size=canvas_size)})
        filled &= _has_area(sample["boxes"])
    return of_instances(sample, filled)


def mask_boxes(sample: Sample) -> NDArray[np.float64]:
    """(N, 4) float64, xyxy: the tight box of each instance's mask, zeros where that is empty."""
    boxes = np.zeros((len(sample["labels"]), 4))
    if "outlines" in sample:
        boxes = sample["outlines"].boxes()
    if "bitmaps" in sample:
        bitmaps = array_of(sample["bitmaps"])
        for row in np.flatnonzero(~array_of(sample["outlined"])):
            columns = np.flatnonzero(bitmaps[row].any(axis=0))
            lines = np.flatnonzero(bitmaps[row].any(axis=1))
            if len(columns):
                boxes[row] = columns[0], lines[0], columns[-1] + 1, lines[-1] + 1
    return boxes


def joined_instances(samples: Sequence[Sample]) -> Sample:
    """The instances of several samples of one size, in that order, under the keys of
    ``OF_INSTANCES``."""
    some = [sample for sample in samples if len(sample["labels"])] or samples[:1]
    first = some[0]
    height, width = first["boxes"].canvas_size
    joined: Sample = {
        "boxes": Boxes(
            torch.cat([_plain(each["boxes"]) for each in some]), canvas_size=(height, width)
        ),
        "labels": torch.cat([each["labels"] for each in some]),
    }
    if "outlined" in first:
        joined["outlined"] = torch.cat([each["outlined"] for each in some])
    if any("outlines" in each for each in some):
        joined["outlines"] = Outlines.of_polygons(
            [polygons for each in some for polygons in _polygons(each)], (height, width)
        )
    if any("bitmaps" in each for each in some):
        joined["bitmaps"] = tv_tensors.Mask(torch.cat([_bitmaps(each) for each in some]))
    if "keypoints" in first:
        joined["keypoints"] = first["keypoints"].with_visibility(
            torch.cat([_plain(each["keypoints"]) for each in some]),
            torch.cat([each["keypoints"].visibility for each in some]),
        )
    return joined


def painted_masks(sample: Sample) -> NDArray[np.bool_]:
    """(N, H, W): every instance's mask as a bitmap; polygons as pycocotools paints them."""
    painted = _bitmaps(sample).numpy().astype(np.bool_)
    for row in np.flatnonzero(array_of(sample["outlined"])).tolist():
        polygons = _polygons(sample)[row]
        if polygons:
            size = sample["boxes"].canvas_size
            pieces = [piece.ravel().tolist() for piece in polygons]
            painted[row] = rle.decode(rle.from_polygons(pieces, size), size)
    return painted


def with_painted_masks(sample: Sample, rows: NDArray[np.bool_], masks: NDArray[np.bool_]) -> Sample:
    """The sample with bitmaps as the masks of some of its instances.

    Args:
        rows: (N,), which.
        masks: (N, H, W), of which only those rows count.
    """
    bitmaps = _bitmaps(sample).clone()
    bitmaps[torch.from_numpy(rows)] = torch.from_numpy(masks[rows]).to(torch.uint8)
    polygons = [() if row else own for row, own in zip(rows, _polygons(sample), strict=True)]
    outlined = array_of(sample["outlined"]) & ~rows
    return sample | {
        "bitmaps": tv_tensors.Mask(bitmaps),
        "outlines": Outlines.of_polygons(polygons, sample["boxes"].canvas_size),
        "outlined": torch.from_numpy(outlined),
    }


def array_of(tensor: Tensor) -> NDArray[Any]:
    """The tensor's memory as an array."""
    array: NDArray[Any] = tensor.as_subclass(Tensor).numpy()
    return array


def _plain(tensor: Tensor) -> Tensor:
    return tensor.as_subclass(Tensor)


def _polygons(sample: Sample) -> list[Polygons]:
    if "outlines" in sample:
        polygons: list[Polygons] = sample["outlines"].polygons()
        return polygons
    return [()] * len(sample["labels"])


def _bitmaps(sample: Sample) -> Tensor:
    """(N, H, W) uint8; blank where the sample has none."""
    if "bitmaps" in sample:
        return _plain(sample["bitmaps"])
    return torch.zeros((len(sample["labels"]), *sample["boxes"].canvas_size), dtype=torch.uint8)


def _clipped(sample: Sample) -> Sample:
    boxes = sample["boxes"]
    height, width = boxes.canvas_size
    limits = np.array([width, height, width, height], np.float64)
    clipped = np.clip(array_of(boxes), 0, limits)
    return sample | {"boxes": Boxes(clipped, canvas_size=boxes.canvas_size)}


def _has_area(boxes: Boxes) -> NDArray[np.bool_]:
    # Detectron2 compares what has been rounded to float32.
    corners = array_of(boxes).astype(np.float32)
    kept: NDArray[np.bool_] = np.all(corners[:, 2:] - corners[:, :2] > EMPTY_SIDE, axis=1)
    return kept

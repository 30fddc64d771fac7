"""Examples as ``torchvision.transforms.v2`` sees them, and back.

A sample is a dict. Rows of everything that is of the instances belong together; what an example
does not have is not in it.

=============  ====================================================================================
``image``      ``tv_tensors.Image``, (3, H, W) uint8, RGB
``boxes``      ``sample_tensors.Boxes``, (N, 4) float64
``labels``     tensor, (N,) int64
``outlines``   ``outlines.Outlines`` of the N instances: where any mask is polygons
``bitmaps``    ``tv_tensors.Mask``, (N, H, W) uint8, 0 and 1: where any mask is none
``outlined``   tensor, (N,) bool: which of the two says an instance's mask; the other has nothing.
               With either.
``keypoints``  ``sample_tensors.Keypoints``, (N, K, 2) float64
``semantic``   ``sample_tensors.SemanticMap``, (H, W) integers, labels raised by one, 0: ignored
``proposals``  ``sample_tensors.Regions``, (P, 4, 2) float64
=============  ====================================================================================

Any transform of ``torchvision.transforms.v2`` takes it. One whose boxes lose an instance need not
remove it: an instance whose box has no area is dropped with all that is of it when the sample
becomes an example again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors

from benchsuite.errors import ContractError
from benchsuite.records import RLE
from benchsuite.targets import TargetMask
from benchsuite.training.example import Example
from benchsuite.training.outlines import Outlines
from benchsuite.training.sample_tensors import Boxes, CanvasSize, Keypoints, Regions, SemanticMap
from benchsuite_kernels.columns import rle

Sample = dict[str, Any]

OF_INSTANCES = ("boxes", "labels", "outlines", "bitmaps", "outlined", "keypoints")
"""Keys of a sample whose rows are instances."""

FIELDS = ("masks", "keypoints", "semantic", "proposals")
"""Fields of a target that an augmentation may leave out."""

EMPTY_SIDE = 1e-5
"""Pixels: a box is empty unless both sides are longer (as in Detectron2)."""


def sample_of(
    example: Example,
    fields: Collection[str] = FIELDS,
    flip_pairs: tuple[tuple[int, int], ...] = (),
) -> Sample:
    """The sample of an example.

    Args:
        fields: those of ``FIELDS`` that are wanted.
        flip_pairs: pairs of keypoints that change places in a mirrored image.
    """
    image, target = example.image, example.target
    size = image.height, image.width
    sample: Sample = {
        "image": tv_tensors.Image(_tensor(image.pixels).permute(2, 0, 1)),
        "boxes": Boxes(target.boxes, canvas_size=size),
        "labels": _tensor(target.labels),
    }
    if target.masks is not None and "masks" in fields:
        sample |= _masks(target.masks, size)
    if target.keypoints is not None and "keypoints" in fields:
        points, visibility = target.keypoints[..., :2], target.keypoints[..., 2]
        sample["keypoints"] = Keypoints(points, visibility, canvas_size=size, flip_pairs=flip_pairs)
    if target.semantic is not None and "semantic" in fields:
        dtype = np.int16 if target.semantic.max(initial=0) < 2**15 - 1 else np.int32
        raised = target.semantic.astype(dtype) + dtype(1)
        sample["semantic"] = SemanticMap(torch.from_numpy(raised))
    if target.proposals is not None and "proposals" in fields:
        sample["proposals"] = Regions.of_boxes(target.proposals, size)
    return sample


def example_of(sample: Sample, example: Example, *, recompute_boxes: bool = False) -> Example:
    """The example that a sample has become.

    Boxes are cut to the image. Instances whose box is empty then, or whose mask is, are dropped
    (so in Detectron2); keypoints outside the image are not labelled, and lie at 0, 0.

    Args:
        example: what the sample was made of.
        recompute_boxes: whether boxes are made anew round the masks.

    Raises:
        ContractError: a transform made something of another kind or size of it.
    """
    image = sample["image"]
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3:
        raise ContractError(
            f"the transforms made an image of shape {tuple(image.shape)} and type {image.dtype}; "
            "a model takes (3, H, W) uint8, and normalises it itself"
        )
    _check_sizes(sample)
    sample = without_empty(sample, recompute_boxes=recompute_boxes)
    pixels = image.as_subclass(Tensor).permute(1, 2, 0).contiguous().numpy()
    target = replace(
        example.target,
        boxes=_array(sample["boxes"]),
        labels=_array(sample["labels"]),
        masks=_target_masks(sample),
        keypoints=_target_keypoints(sample),
        semantic=_array(sample["semantic"]).astype(np.int64) - 1 if "semantic" in sample else None,
        proposals=_target_proposals(sample),
    )
    return replace(example, image=replace(example.image, pixels=pixels), target=target)


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
            points = value.as_subclass(Tensor)[rows]
            chosen[key] = Keypoints.wrap(points, value, visibility=value.visibility[rows])
        elif isinstance(value, tv_tensors.TVTensor):
            chosen[key] = tv_tensors.wrap(value.as_subclass(Tensor)[rows], like=value)
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
        bitmaps = _array(sample["bitmaps"])
        for row in np.flatnonzero(~_array(sample["outlined"])):
            columns = np.flatnonzero(bitmaps[row].any(axis=0))
            lines = np.flatnonzero(bitmaps[row].any(axis=1))
            if len(columns):
                boxes[row] = columns[0], lines[0], columns[-1] + 1, lines[-1] + 1
    return boxes


# --- into a sample ------------------------------------------------------------------------------


def _tensor(array: NDArray[Any]) -> Tensor:
    """The array's memory as a tensor; a copy where torch could not take it."""
    contiguous = np.ascontiguousarray(array)
    return torch.from_numpy(contiguous if contiguous.flags.writeable else contiguous.copy())


def _masks(masks: Sequence[TargetMask], size: CanvasSize) -> Sample:
    outlined = np.array([isinstance(mask, tuple) for mask in masks], np.bool_)
    found: Sample = {"outlined": torch.from_numpy(outlined)}
    if outlined.any() or not len(masks):
        polygons = [mask if isinstance(mask, tuple) else () for mask in masks]
        found["outlines"] = Outlines.of_polygons(polygons, size)
    if not outlined.all():
        bitmaps = np.zeros((len(masks), *size), np.uint8)
        for row, mask in enumerate(masks):
            if isinstance(mask, tuple):
                continue
            bitmap = rle.decode(mask.counts, mask.size) if isinstance(mask, RLE) else mask
            if bitmap.shape != size:
                raise ContractError(
                    f"mask {row} is {bitmap.shape[0]} high and {bitmap.shape[1]} wide, its image "
                    f"{size[0]} and {size[1]}"
                )
            bitmaps[row] = bitmap
        found["bitmaps"] = tv_tensors.Mask(torch.from_numpy(bitmaps))
    return found


# --- out of a sample ----------------------------------------------------------------------------


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.as_subclass(Tensor).numpy()
    return array


def _clipped(sample: Sample) -> Sample:
    boxes = sample["boxes"]
    height, width = boxes.canvas_size
    limits = np.array([width, height, width, height], np.float64)
    clipped = np.clip(_array(boxes), 0, limits)
    return sample | {"boxes": Boxes(clipped, canvas_size=boxes.canvas_size)}


def _has_area(boxes: Boxes) -> NDArray[np.bool_]:
    # Detectron2 compares what has been rounded to float32.
    corners = _array(boxes).astype(np.float32)
    kept: NDArray[np.bool_] = np.all(corners[:, 2:] - corners[:, :2] > EMPTY_SIDE, axis=1)
    return kept


def _check_sizes(sample: Sample) -> None:
    size = tuple(sample["image"].shape[-2:])
    count = len(sample["labels"])
    for key, value in sample.items():
        if isinstance(value, tv_tensors.KeyPoints | tv_tensors.BoundingBoxes):
            found = tuple(value.canvas_size)
        elif isinstance(value, tv_tensors.Mask):
            found = tuple(value.shape[-2:])
        else:
            continue
        if found != size:
            raise ContractError(
                f"the transforms made an image {size[0]} high and {size[1]} wide, and {key} for "
                f"one {found[0]} high and {found[1]} wide"
            )
    for key in OF_INSTANCES:
        if key not in sample:
            continue
        value = sample[key]
        rows = len(value.counts if isinstance(value, Outlines) else value)
        if rows != count:
            raise ContractError(f"the transforms left {count} labels, and {key} of {rows} objects")


def _target_masks(sample: Sample) -> list[TargetMask] | None:
    if "outlined" not in sample:
        return None
    outlined = _array(sample["outlined"])
    polygons = sample["outlines"].polygons() if "outlines" in sample else [()] * len(outlined)
    bitmaps = _array(sample["bitmaps"]).view(np.bool_) if "bitmaps" in sample else None
    return [
        polygons[row] if as_polygons or bitmaps is None else bitmaps[row]
        for row, as_polygons in enumerate(outlined)
    ]


def _target_keypoints(sample: Sample) -> NDArray[np.float64] | None:
    if "keypoints" not in sample:
        return None
    keypoints = sample["keypoints"].without_those_outside()
    visibility = _array(keypoints.visibility)[..., None]
    return np.concatenate([_array(keypoints) * (visibility > 0), visibility], axis=-1)


def _target_proposals(sample: Sample) -> NDArray[np.float64] | None:
    if "proposals" not in sample:
        return None
    height, width = sample["proposals"].canvas_size
    limits = np.array([width, height, width, height], np.float64)
    boxes = np.clip(_array(sample["proposals"].boxes()), 0, limits).astype(np.float32)
    kept: NDArray[np.float64] = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    return kept

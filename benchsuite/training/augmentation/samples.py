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
from benchsuite.training.augmentation.outlines import Outlines
from benchsuite.training.augmentation.sample_instances import (
    OF_INSTANCES,
    Sample,
    array_of,
    without_empty,
)
from benchsuite.training.augmentation.sample_tensors import (
    Boxes,
    CanvasSize,
    Keypoints,
    Regions,
    SemanticMap,
)
from benchsuite.training.data.example import Example
from benchsuite_kernels.columns import rle

FIELDS = ("masks", "keypoints", "semantic", "proposals")
"""Fields of a target that an augmentation may leave out."""


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
        boxes=array_of(sample["boxes"]),
        labels=array_of(sample["labels"]),
        masks=_target_masks(sample),
        keypoints=_target_keypoints(sample),
        semantic=_target_semantic(sample),
        proposals=_target_proposals(sample),
    )
    return replace(example, image=replace(example.image, pixels=pixels), target=target)


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
    outlined = array_of(sample["outlined"])
    polygons = sample["outlines"].polygons() if "outlines" in sample else [()] * len(outlined)
    bitmaps = array_of(sample["bitmaps"]).view(np.bool_) if "bitmaps" in sample else None
    return [
        polygons[row] if as_polygons or bitmaps is None else bitmaps[row]
        for row, as_polygons in enumerate(outlined)
    ]


def _target_keypoints(sample: Sample) -> NDArray[np.float64] | None:
    if "keypoints" not in sample:
        return None
    keypoints = sample["keypoints"].within_image()
    visibility = array_of(keypoints.visibility)[..., None]
    return np.concatenate([array_of(keypoints) * (visibility > 0), visibility], axis=-1)


def _target_semantic(sample: Sample) -> NDArray[np.int64] | None:
    if "semantic" not in sample:
        return None
    labels: NDArray[np.int64] = array_of(sample["semantic"]).astype(np.int64)
    return np.subtract(labels, 1, out=labels)


def _target_proposals(sample: Sample) -> NDArray[np.float64] | None:
    if "proposals" not in sample:
        return None
    height, width = sample["proposals"].canvas_size
    limits = np.array([width, height, width, height], np.float64)
    boxes = np.clip(array_of(sample["proposals"].boxes()), 0, limits).astype(np.float32)
    kept: NDArray[np.float64] = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    return kept

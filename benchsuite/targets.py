"""What a model trains on: the truth of one image, typed. Numpy only.

Everything is in pixels of the image that it comes with, as that is handed to the model: whatever
resizes, crops or flips the image does the same to its target. Coordinates are continuous, the
image covers [0, W] x [0, H], width = x2 - x1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.array_fields import array_field
from benchsuite.errors import ContractError
from benchsuite.records import RLE

Polygons = tuple[NDArray[np.float64], ...]
"""The outline of one instance: its pieces, each (P, 2) float64 of x, y, P at least 3."""

TargetMask = Polygons | RLE | NDArray[np.bool_]
"""The mask of one instance: polygons, run lengths, or a bitmap (H, W)."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The truth of one image. What a dataset does not have stays ``None``.

    Crowd regions are no instances: they are dropped before. An image without instances is an
    ordinary target. Anything array-like is taken and converted; ``ContractError`` names a field of
    a wrong shape.

    Attributes:
        boxes: (N, 4) float32, xyxy.
        labels: (N,) int64, index into the model's categories.
        masks: N masks, each polygons (pieces as (P, 2) points or as flat ``x1, y1, x2, y2, ...``),
            an ``RLE`` or an (H, W) boolean array; an (N, H, W) boolean array is N of those.
        keypoints: (N, K, 3) float32: x, y and visibility (0: not labelled, 1: labelled but hidden,
            2: visible). A pixel's centre lies at +0.5.
        semantic: (H, W) int64, index into the model's categories; -1: to be ignored (in a uint8
            map 255, which becomes -1).
        proposals: (P, 4) float32, xyxy, best first: regions that a model shall look at which does
            not find them itself. They are no truth, but move with the image as the boxes do.
        seed: what random choices about this image are drawn from, such as which of its anchors
            count, so that they do not hang on the other images of the batch, 0 or greater;
            ``None``: torch's global generator.
    """

    boxes: Any = ()
    labels: Any = ()
    masks: Any = None
    keypoints: Any = None
    semantic: Any = None
    proposals: Any = None
    seed: int | None = None

    def __post_init__(self) -> None:
        boxes = array_field("Target", "boxes", self.boxes, np.float32, (-1, 4))
        count = len(boxes)
        if not np.isfinite(boxes).all():
            raise ContractError("Target.boxes holds a NaN or infinite coordinate")
        object.__setattr__(self, "boxes", boxes)
        labels = array_field("Target", "labels", self.labels, np.int64, (count,))
        object.__setattr__(self, "labels", labels)
        if self.masks is not None:
            if len(self.masks) != count:
                raise ContractError(f"Target.masks has {len(self.masks)} masks for {count} boxes")
            masks = tuple(_mask(index, mask) for index, mask in enumerate(self.masks))
            object.__setattr__(self, "masks", masks)
        if self.keypoints is not None:
            keypoints = array_field(
                "Target", "keypoints", self.keypoints, np.float32, (count, -1, 3)
            )
            object.__setattr__(self, "keypoints", keypoints)
        if self.semantic is not None:
            semantic = array_field("Target", "semantic", self.semantic, np.int64, (-1, -1))
            if getattr(self.semantic, "dtype", None) == np.uint8:
                semantic[semantic == 255] = -1
            object.__setattr__(self, "semantic", semantic)
        if self.proposals is not None:
            proposals = array_field("Target", "proposals", self.proposals, np.float32, (-1, 4))
            object.__setattr__(self, "proposals", proposals)
        if self.seed is not None and self.seed < 0:
            raise ContractError(f"Target.seed is {self.seed}, less than 0")

    def __len__(self) -> int:
        return len(self.boxes)


def _mask(index: int, mask: Any) -> TargetMask:
    name = f"masks[{index}]"
    if isinstance(mask, RLE):
        return mask
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_:
        return array_field("Target", name, mask, np.bool_, (-1, -1))
    return tuple(_polygon(f"{name}[{piece}]", points) for piece, points in enumerate(mask))


def _polygon(name: str, points: Any) -> NDArray[np.float64]:
    flat = np.asarray(points).ndim == 1
    if flat and len(points) % 2:
        raise ContractError(f"Target.{name} has {len(points)} numbers, an odd count")
    shaped = np.reshape(points, (-1, 2)) if flat else points
    polygon = array_field("Target", name, shaped, np.float64, (-1, 2))
    if len(polygon) < 3:
        raise ContractError(f"Target.{name} has {len(polygon)} points, fewer than 3")
    return polygon

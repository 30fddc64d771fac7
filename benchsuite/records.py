"""Typed records for what flows from a dataset through a model: images in, predictions out.

Boxes are absolute pixels of the *original* image, ``(x1, y1, x2, y2)``, float32, origin at the
image's top-left corner, no +1 (width = x2 - x1). Masks, keypoints and maps are of the original
image too. Numpy only: nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.array_fields import array_field
from benchsuite.errors import ContractError


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a dataset, as its annotation file describes it.

    Attributes:
        id: the file's image id, any 64-bit integer.
        file_name: as in the file, relative to the image folder.
        width, height: pixels, after EXIF orientation.
    """

    id: int
    file_name: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One decoded image.

    Attributes:
        record: which image it is.
        pixels: (H, W, 3) uint8, RGB, EXIF orientation applied.
    """

    record: ImageRecord
    pixels: NDArray[np.uint8]

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a panoptic map.

    Attributes:
        id: its number in the map (never 0, which is void).
        label: index into the model's categories.
        isthing: whether it is an instance.
        score: confidence, for things.
    """

    id: int
    label: int
    isthing: bool = True
    score: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PanopticMap:
    """A panoptic segmentation: (H, W) segment numbers below 2**24, 0 = void, and their list."""

    ids: NDArray[np.int32]
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class RLE:
    """A binary mask as COCO's compressed run-length encoding.

    Attributes:
        size: (height, width) in pixels.
        counts: COCO's compressed counts (column-major runs), ASCII.
    """

    size: tuple[int, int]
    counts: bytes


@dataclass(slots=True, eq=False)
class Prediction:
    """What a model says of one image. Fields it does not predict stay ``None``.

    Anything array-like is taken and converted; ``ContractError`` names a field of a wrong shape.

    Attributes:
        boxes: (N, 4) float32, xyxy, absolute pixels of the original image.
        scores: (N,) float32 confidences; any order. NaN is not allowed.
        labels: (N,) int64, index into the model's categories.
        masks: N masks: ``RLE`` records, or an (N, H, W) boolean array.
        keypoints: (N, K, 3) float32: x, y in pixels and the keypoint's own score.
        semantic: (H, W) integer map of indices into the model's categories; 255 = none when the
            dtype is uint8, -1 = none otherwise.
        panoptic: a ``PanopticMap``.
    """

    boxes: Any = ()
    scores: Any = ()
    labels: Any = ()
    masks: Any = None
    keypoints: Any = None
    semantic: Any = None
    panoptic: PanopticMap | None = None

    def __post_init__(self) -> None:
        self.boxes = array_field("Prediction", "boxes", self.boxes, np.float32, (-1, 4))
        n = len(self.boxes)
        self.scores = array_field("Prediction", "scores", self.scores, np.float32, (n,))
        self.labels = array_field("Prediction", "labels", self.labels, np.int64, (n,))
        if self.keypoints is not None:
            self.keypoints = array_field(
                "Prediction", "keypoints", self.keypoints, np.float32, (n, -1, 3)
            )
        if self.masks is not None and len(self.masks) != n:
            raise ContractError(f"Prediction.masks has {len(self.masks)} masks for {n} boxes")
        if np.isnan(self.scores).any():
            raise ContractError("Prediction.scores holds NaN")
        if not np.isfinite(self.boxes).all():
            raise ContractError("Prediction.boxes holds a NaN or infinite coordinate")

    def __len__(self) -> int:
        return len(self.boxes)

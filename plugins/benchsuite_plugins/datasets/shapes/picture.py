"""A finished picture and its truth: what hides what, and what can be seen of it.

What is true of a picture follows from how it is made:

* The objects are gone through from front to back. One of which less than an eighth, or fewer than
  12 pixels, would be seen is left out of the picture, not out of the truth: whatever is in the
  picture and has a category is labelled.
* A mask holds the pixels that an object covers by half or more and nothing in front of it does.
* Clutter has no category. Its pixels are void in the semantic and panoptic truth.
* A crowd is many tiny objects of one category under one mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchsuite_plugins.datasets.shapes.categories import ID_OF, KEYPOINT_CATEGORIES, KEYPOINTS
from benchsuite_plugins.datasets.shapes.exposure import expose
from benchsuite_plugins.datasets.shapes.landscape import Landscape
from benchsuite_plugins.datasets.shapes.rasterizer import Layer, paint
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64

VOID = 0
"""The category id of pixels that belong to nothing labelled."""

LEAST_PIXELS = 12
LEAST_SHARE = 8
"""An object is drawn if one part in this many of its pixels can be seen."""

KEYPOINTS_FROM = 24
"""Keypoints are labelled on beings of at least this height in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """Something to be painted.

    Attributes:
        depth: the nearer the larger.
        category: its name, ``None`` for clutter.
        layers: its pixels, far to near (many for a crowd).
        iscrowd: whether it is a crowd.
        height: in pixels, nominal; 0 for a crowd.
        keypoints: (K, 2) int64, pixel column and row, for a being.
    """

    depth: int
    category: str | None
    layers: Sequence[Layer]
    iscrowd: bool = False
    height: int = 0
    keypoints: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One object, or one crowd, that can be seen.

    Attributes:
        category_id: its category's id.
        mask: (H, W) bool, its visible pixels.
        iscrowd: whether it is a crowd.
        keypoints: (K, 3) int64 for a being: pixel column, pixel row, and 2 visible, 1 hidden,
            0 not labelled (outside the picture, or the being too small).
    """

    category_id: int
    mask: NDArray[np.bool_]
    iscrowd: bool
    keypoints: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture and what is true of it.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        stuff: (H, W) int32: the stuff category id, ``VOID`` where a thing or clutter is.
        instances: front to back.
    """

    pixels: NDArray[np.uint8]
    stuff: NDArray[np.int32]
    instances: Sequence[Instance]


def compose(random: SplitMix64, landscape: Landscape, items: Sequence[Item]) -> Picture:
    """Decide what can be seen, then paint it, back to front."""
    covered = np.zeros(landscape.stuff.shape, dtype=np.bool_)
    shown: list[Item] = []
    instances: list[Instance] = []
    for item in sorted(items, key=lambda item: -item.depth):
        whole = _mask(item, covered.shape)
        seen = whole & ~covered
        if item.category is not None:
            pixels = int(np.count_nonzero(seen))
            if pixels < LEAST_PIXELS or pixels * LEAST_SHARE < int(np.count_nonzero(whole)):
                continue
            keypoints = _keypoints(item, seen)
            instances.append(Instance(ID_OF[item.category], seen, item.iscrowd, keypoints))
        shown.append(item)
        covered |= whole
    image = landscape.pixels.copy()
    for item in reversed(shown):
        for layer in item.layers:
            paint(image, layer)
    stuff = np.where(covered, np.int32(VOID), landscape.stuff)
    return Picture(expose(random, image), stuff, instances)


def _mask(item: Item, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """All of an item's pixels, as if nothing stood before it."""
    whole = np.zeros(shape, dtype=np.bool_)
    for layer in item.layers:
        rows, columns = layer.mask.shape
        window = whole[layer.top : layer.top + rows, layer.left : layer.left + columns]
        window |= layer.mask
    return whole


def _keypoints(item: Item, seen: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """A being's keypoints with their visibility; all zero for a small one and for a crowd."""
    if item.category not in KEYPOINT_CATEGORIES:
        return None
    labelled = np.zeros((len(KEYPOINTS.names), 3), dtype=np.int64)
    if item.keypoints is None or item.height < KEYPOINTS_FROM:
        return labelled
    height, width = seen.shape
    for row, (x, y) in enumerate(item.keypoints):
        if 0 <= x < width and 0 <= y < height:
            labelled[row] = x, y, 2 if seen[y, x] else 1
    return labelled

"""Images with ellipses of all sizes, drawn from a fixed seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES, OBJECTS = 90, 8


@dataclass(frozen=True)
class Batch:
    """Images, each with as many ellipses.

    Attributes:
        pixels: an (H, W, 3) uint8 an image.
        boxes: an (OBJECTS, 4) an image, xyxy.
        labels: an (OBJECTS,) an image.
        outlines: OBJECTS polygons of 40 points an image.
        bitmaps: an (OBJECTS, H, W) bool an image.
    """

    pixels: list[NDArray[np.uint8]]
    boxes: list[NDArray[np.float32]]
    labels: list[NDArray[np.int64]]
    outlines: list[list[NDArray[np.float64]]]
    bitmaps: list[NDArray[np.bool_]]


def draw(count: int, height: int, width: int) -> Batch:
    random = np.random.default_rng(0)
    batch = Batch([], [], [], [], [])
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    at = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    for _ in range(count):
        radius = np.exp(random.uniform(np.log(8), np.log(0.4 * min(height, width)), (OBJECTS, 2)))
        room = np.array([width, height]) - 2 * radius
        centre = radius + room * random.uniform(0, 1, (OBJECTS, 2))
        batch.pixels.append(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        batch.boxes.append(np.concatenate([centre - radius, centre + radius], 1, dtype=np.float32))
        batch.labels.append(random.integers(0, CLASSES, OBJECTS))
        ellipses = list(zip(centre, radius, strict=True))
        batch.outlines.append([c + r * circle for c, r in ellipses])
        inside = [(((at - c) / r) ** 2).sum(axis=-1) <= 1 for c, r in ellipses]
        batch.bitmaps.append(np.stack(inside))
    return batch

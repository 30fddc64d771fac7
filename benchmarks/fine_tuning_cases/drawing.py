"""COCO-format files of discs, bars and rings with polygons, on noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

NAMES = ("disc", "bar", "ring")
MOST_OBJECTS = 4


def draw(folder: Path, count: int, seed: int) -> Path:
    """Draw ``count`` images and their annotation file; its path."""
    generator = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for image_id in range(1, count + 1):
        width, height = (int(side) for side in generator.integers(140, 200, 2))
        pixels = generator.normal(90, 20, (height, width, 3))
        for x, y, radius in _places(generator, width, height):
            label = int(generator.integers(len(NAMES)))
            inside, outline = _shape(label, x, y, radius, pixels.shape[:2])
            colour = generator.uniform(0, 255, 3)
            pixels[inside] = colour + generator.normal(0, 8, (int(inside.sum()), 3))
            low, high = outline.min(0), outline.max(0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": label + 1,
                    "bbox": [*low.tolist(), *(high - low).tolist()],
                    "area": float(inside.sum()),
                    "segmentation": [outline.flatten().tolist()],
                    "iscrowd": 0,
                }
            )
        name = f"{image_id:04d}.png"
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / name)
    categories = [{"id": index, "name": name} for index, name in enumerate(NAMES, 1)]
    file = folder / "annotations.json"
    file.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return file


def _places(
    generator: np.random.Generator, width: int, height: int
) -> list[tuple[float, float, float]]:
    """Centres and radii of objects that do not touch each other."""
    places: list[tuple[float, float, float]] = []
    for _ in range(20):
        radius = generator.uniform(12, 32)
        x, y = generator.uniform(radius, width - radius), generator.uniform(radius, height - radius)
        if all(np.hypot(x - a, y - b) > radius + other for a, b, other in places):
            places.append((x, y, radius))
    return places[: generator.integers(1, MOST_OBJECTS + 1)]


def _shape(
    label: int, x: float, y: float, radius: float, size: tuple[int, ...]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which pixels an object covers, and its outline, (P, 2). A ring's hole is part of its mask, as
    polygons have it."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    distance = np.hypot(columns - x, rows - y)
    if NAMES[label] == "bar":
        half = np.array([radius, 0.35 * radius])
        inside = (abs(columns - x) < half[0]) & (abs(rows - y) < half[1])
        return inside, np.array([x, y]) + half * [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = np.array([x, y]) + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
    hole = 0.55 * radius if NAMES[label] == "ring" else -1.0
    return (distance < radius) & (distance > hole), outline

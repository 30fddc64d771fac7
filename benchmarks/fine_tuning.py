"""Own data: a generated COCO-format file whose classes no dataset here has, and what a short
training on it comes to.

    python benchmarks/fine_tuning.py DATA [TRAIN OPTIONS]

draws DATA/{train,val}.json and their images (the same ones each time), and runs

    benchsuite train RECIPE --dataset DATA/train.json --images DATA/train \
        --validate-on DATA/val.json --validation-images DATA/val [TRAIN OPTIONS]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchsuite.cli.main import main as benchsuite

RECIPE = "mask_rcnn_R_50_FPN_shapes"
WIDTH, HEIGHT = 192, 160
COUNTS = {"train": 160, "val": 60}

Outline = list[tuple[float, float]]


def regular(corners: int) -> Outline:
    return [
        (math.cos(2 * math.pi * i / corners), math.sin(2 * math.pi * i / corners))
        for i in range(corners)
    ]


def spikes(count: int, inner: float) -> Outline:
    points = regular(2 * count)
    return [(x, y) if i % 2 == 0 else (inner * x, inner * y) for i, (x, y) in enumerate(points)]


OUTLINES: dict[str, Outline] = {
    "hexagon": regular(6),
    "shuriken": spikes(4, 0.3),
    "arrow": [(-1, -0.3), (0.1, -0.3), (0.1, -0.8), (1, 0), (0.1, 0.8), (0.1, 0.3), (-1, 0.3)],
    "chevron": [(-0.8, -0.9), (0.1, -0.9), (0.9, 0), (0.1, 0.9), (-0.8, 0.9), (0, 0)],
}
"""Category to its outline in [-1, 1] x [-1, 1]."""


def draw_split(folder: Path, split: str) -> None:
    """Draw the images of a split, and write what is on them."""
    images = folder / split
    images.mkdir(parents=True, exist_ok=True)
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(COUNTS[split]):
        random = np.random.default_rng((list(COUNTS).index(split), number))
        picture, outlines = draw_picture(random)
        name = f"{number:04d}.png"
        picture.save(images / name)
        listed.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        annotations += [
            annotation(len(annotations) + 1 + i, number, *each) for i, each in enumerate(outlines)
        ]
    content = {
        "images": listed,
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(OUTLINES)],
    }
    (folder / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")


def draw_picture(
    random: np.random.Generator,
) -> tuple[Image.Image, list[tuple[str, NDArray[np.float64]]]]:
    """A picture and the figures on it, which do not touch."""
    coarse = random.integers(60, 200, (5, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    outlines: list[tuple[str, NDArray[np.float64]]] = []
    taken: list[tuple[float, float, float]] = []
    for _ in range(int(random.integers(2, 6))):
        radius = float(random.uniform(12, 30))
        x, y = random.uniform(radius, (WIDTH - radius, HEIGHT - radius)).tolist()
        if any(math.hypot(x - a, y - b) < radius + other for a, b, other in taken):
            continue
        taken.append((x, y, radius))
        name = str(random.choice(list(OUTLINES)))
        turn = random.uniform(0, 2 * math.pi)
        rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        points = np.array(OUTLINES[name]) / math.sqrt(1.5) @ rotation * radius + (x, y)
        colour = tuple(random.integers(0, 256, 3).tolist())
        pen.polygon([tuple(point) for point in points.tolist()], fill=colour)
        outlines.append((name, points))
    return picture, outlines


def annotation(
    number: int, image_id: int, name: str, points: NDArray[np.float64]
) -> dict[str, Any]:
    """A figure as COCO writes it."""
    points = points.clip(0, (WIDTH, HEIGHT))
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    x, y = points.T
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return {
        "id": number,
        "image_id": image_id,
        "category_id": list(OUTLINES).index(name) + 1,
        "bbox": [left, top, right - left, bottom - top],
        "area": area,
        "segmentation": [points.round(2).flatten().tolist()],
        "iscrowd": 0,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default=RECIPE)
    given, options = parser.parse_known_args(arguments)
    for split in COUNTS:
        if not (given.data / f"{split}.json").is_file():
            draw_split(given.data, split)
    command = ["train", given.recipe]
    command += ["--dataset", str(given.data / "train.json"), "--images", str(given.data / "train")]
    command += ["--validate-on", str(given.data / "val.json")]
    command += ["--validation-images", str(given.data / "val")]
    return benchsuite([*command, *options])


if __name__ == "__main__":
    sys.exit(main())

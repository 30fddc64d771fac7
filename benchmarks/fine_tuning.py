"""Fine-tuning on data of one's own, as a user does it: one command, on the CPU.

    python benchmarks/fine_tuning.py --json FILE

Draws two COCO-format files, for training and for validation: discs, bars and rings with polygons on
noise. No recipe knows these classes. Then ``benchsuite train`` is run on them from the recipe's own
weights and, to compare, from random ones; a row for each says what the last weights score on the
validation images, and how long the training took, validation counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from benchsuite.environment import cpu_name, load_average

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


def fine_tune(folder: Path, arguments: argparse.Namespace, init: str | None) -> dict[str, Any]:
    """Run the command; a row."""
    command = [
        *(sys.executable, "-m", "benchsuite", "train", arguments.recipe, "--json"),
        *("--dataset", str(folder / "train" / "annotations.json")),
        *("--images", str(folder / "train" / "images")),
        *("--validate-on", str(folder / "val" / "annotations.json")),
        *("--validation-images", str(folder / "val" / "images")),
        *("--device", "cpu", "--threads", str(arguments.threads), "--workers", "1"),
        *("--out", str(folder / ("random" if init == "random" else "trained")), "--seed", "0"),
        f"training.iterations={arguments.steps}",
        *(["--init", init] if init else []),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    outcome = json.loads(run.stdout)
    return {
        "name": f"fine_tuning/{arguments.recipe}",
        "init": init or arguments.recipe,
        "steps": outcome["steps"],
        "epochs": outcome["epochs"],
        "seconds": outcome["seconds"],
        "threads": arguments.threads,
        **{name: value for name, value in outcome["metrics"].items() if name.endswith("/AP")},
        "cpu": cpu_name(),
        "load": load_average(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="mask_rcnn_R_18_FPN_shapes")
    parser.add_argument("--init", help="weights to start from; default: the recipe's own")
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder, "train"), arguments.images, seed=0)
        draw(Path(folder, "val"), 60, seed=1)
        rows = [fine_tune(Path(folder), arguments, init) for init in (arguments.init, "random")]
    for row in rows:
        print(json.dumps(row))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

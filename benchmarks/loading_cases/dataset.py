"""JPEGs and annotations like COCO's, drawn from fixed seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch.nn import functional as F

IMAGES = 64


def draw_pixels(height: int, width: int, generator: torch.Generator) -> np.ndarray[Any, Any]:
    """Noise at every scale, weaker the finer, as photographs have it: some 120 kB as JPEG."""
    total = 0.12 * torch.randn((1, 3, height, width), generator=generator)
    for cells, strength in ((4, 1.0), (12, 0.7), (36, 0.5), (108, 0.35), (320, 0.2)):
        coarse = torch.randn((1, 3, cells, cells), generator=generator)
        total += strength * F.interpolate(coarse, (height, width), mode="bicubic")
    scaled = (total / total.std() * 55 + 120).clamp(0, 255)
    return scaled[0].permute(1, 2, 0).to(torch.uint8).numpy()


def write_dataset(folder: Path) -> None:
    """Images and annotations like COCO's: 7.3 objects an image, outlines of 25 points."""
    generator, random = torch.Generator().manual_seed(0), np.random.default_rng(0)
    (folder / "images").mkdir()
    images, annotations = [], []
    for number in range(1, IMAGES + 1):
        height, width = (640, 480) if number % 4 == 0 else (480, 640)
        picture = PIL.Image.fromarray(draw_pixels(height, width, generator))
        file = f"{number:012d}.jpg"
        picture.save(folder / "images" / file, quality=90)
        images.append({"id": number, "file_name": file, "width": width, "height": height})
        for _ in range(max(1, random.poisson(7.3))):
            size = np.exp(random.uniform(np.log(12), np.log(300), 2))
            x, y = random.uniform(0, (width, height) - np.minimum(size, (width, height)))
            w, h = np.minimum(size, (width - x, height - y))
            angles = np.sort(random.uniform(0, 2 * np.pi, max(4, random.poisson(25))))
            points = np.stack([x + w * (1 + np.cos(angles)) / 2, y + h * (1 + np.sin(angles)) / 2])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(random.integers(1, 81)),
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                    "segmentation": [points.T.round(2).ravel().tolist()],
                }
            )
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": str(number)} for number in range(1, 81)],
    }
    (folder / "truth.json").write_text(json.dumps(content), encoding="utf-8")

"""Seeded truth and detections for analyses of mistakes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

Case = tuple[dict[str, Any], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def detection_case() -> Callable[[int, int, int], Case]:
    """Makes an annotation file's content and detections of a seed, images and categories.

    The same on every machine: ``random.random`` is.
    """
    return _case


def _case(seed: int, images: int, categories: int) -> Case:
    draw = random.Random(seed).random

    def between(low: float, high: float) -> float:
        return low + (high - low) * draw()

    def pick() -> int:
        return 1 + int(categories * draw())

    truth: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": k, "name": str(k)} for k in range(1, categories + 1)],
    }
    results = []
    for image in range(1, images + 1):
        truth["images"].append({"id": image, "width": 200, "height": 200})
        for _ in range(int(between(0, 9))):
            width, height = between(8, 60), between(8, 60)
            x, y = between(0, 200 - width), between(0, 200 - height)
            category = pick()
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1,
                    "image_id": image,
                    "category_id": category,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": int(draw() < 0.06),
                }
            )
            for _ in range(int(between(0, 4))):
                off = (0.05, 0.2, 0.6)[int(between(0, 3))]
                box = [
                    x + width * between(-off, off),
                    y + height * between(-off, off),
                    width * between(1 - off, 1 + off),
                    height * between(1 - off, 1 + off),
                ]
                as_category = category if draw() < 0.75 else pick()
                results.append(
                    {"image_id": image, "category_id": as_category, "bbox": box, "score": draw()}
                )
        for _ in range(int(between(0, 4))):
            as_category = pick()
            box = [between(0, 140), between(0, 140), between(8, 60), between(8, 60)]
            results.append(
                {"image_id": image, "category_id": as_category, "bbox": box, "score": draw()}
            )
    return truth, results

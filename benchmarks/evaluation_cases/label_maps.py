"""Synthetic panoptic and Cityscapes-like label maps, written as PNG files, from a seed.

Regions are where one of several smooth random fields is the largest. A prediction has the same
fields with noise, so that its regions overlap the true ones more or less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

THINGS, STUFF = 80, 53
CITYSCAPES_IDS = np.array(
    [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
)
"""The labels that Cityscapes evaluates, in the order of their training ids."""
CITYSCAPES_OTHERS = (1, 4, 5, 14)
"""Some of those it does not."""
IGNORED = 255
NOISE = 0.55


def regions(
    random: np.random.Generator, count: int, size: tuple[int, int]
) -> Iterator[NDArray[np.int64]]:
    """The true, then the predicted number of the region that each pixel is in."""
    coarse = (max(2, size[0] // 80), max(2, size[1] // 80))
    truth = random.normal(size=(count, *coarse))
    for fields in (truth, truth + NOISE * random.normal(size=truth.shape)):
        quarter = (size[1] // 4, size[0] // 4)
        smooth = [
            np.asarray(Image.fromarray(field.astype(np.float32)).resize(quarter, Image.BICUBIC))
            for field in fields
        ]
        largest = np.argmax(smooth, axis=0)
        full = np.repeat(np.repeat(largest, 4, axis=0), 4, axis=1)
        # Uneven edges, so that PNGs compress as those of real maps do.
        sway = random.integers(-3, 4, (full.shape[0], 1))
        column = np.clip(np.arange(full.shape[1]) + sway, 0, full.shape[1] - 1)
        yield np.take_along_axis(full, column, axis=1)


# --- panoptic ---------------------------------------------------------------------------------


def write_panoptic(folder: Path, count: int, size: tuple[int, int], seed: int) -> None:
    """``truth.json``, ``predictions.json`` and their PNGs in ``truth`` and ``predictions``."""
    categories = [
        {"id": place + 1, "name": f"category {place + 1}", "isthing": int(place < THINGS)}
        for place in range(THINGS + STUFF)
    ]
    images = [
        {"id": 139 + 116 * i, "file_name": f"{i:012}.jpg", "height": size[0], "width": size[1]}
        for i in range(count)
    ]
    annotations: dict[str, list[dict[str, Any]]] = {"truth": [], "predictions": []}
    for name in annotations:
        (folder / name).mkdir()
    for place, image in enumerate(images):
        random = np.random.default_rng((seed, place))
        segments = int(random.integers(6, 22))
        chosen = _segment_categories(random, segments)
        for name, region in zip(annotations, regions(random, segments, size)):
            if name == "predictions":
                changed = random.random(segments) < 0.12
                chosen = np.where(changed, _segment_categories(random, segments), chosen)
            ids = random.choice(2**24 - 1, segments, replace=False) + 1
            ids[0] = 0  # nothing there, or nothing predicted
            file_name = f"{place:012}.png"
            _write_ids(ids[region], folder / name / file_name)
            pixels = np.bincount(region.ravel(), minlength=segments)
            crowd = (random.random(segments) < 0.03) & (name == "truth")
            annotations[name].append(
                {
                    "image_id": image["id"],
                    "file_name": file_name,
                    "segments_info": [
                        {
                            "id": int(ids[s]),
                            "category_id": int(chosen[s]) + 1,
                            "area": int(pixels[s]),
                            "bbox": [0, 0, size[1], size[0]],
                            "iscrowd": int(crowd[s] and chosen[s] < THINGS),
                        }
                        for s in range(1, segments)
                        if pixels[s]
                    ],
                }
            )
    for name, records in annotations.items():
        content = {"images": images, "annotations": records, "categories": categories}
        (folder / f"{name}.json").write_text(json.dumps(content))


def _segment_categories(random: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Places of categories: of things any, of stuff each once."""
    stuff = random.permutation(STUFF)[:count] + THINGS
    things = np.minimum(random.geometric(0.08, count) - 1, THINGS - 1)
    return np.where(random.random(count) < 0.6, things, stuff)


def _write_ids(ids: NDArray[np.int64], path: Path) -> None:
    """Segment ids as COCO's panoptic PNGs hold them: R + 256 G + 65536 B."""
    colours = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2).astype(np.uint8)
    Image.fromarray(colours).save(path)


# --- semantic ---------------------------------------------------------------------------------


def write_semantic(folder: Path, count: int, size: tuple[int, int], seed: int) -> None:
    """Folders ``truth_labels``, ``predicted_labels`` (Cityscapes' ids), ``truth_classes`` and
    ``predicted_classes`` (0 to 18, 255 is ignored) of PNGs with the same names."""
    ids = np.concatenate([CITYSCAPES_IDS, CITYSCAPES_OTHERS])
    classes = np.full(len(ids), IGNORED)
    classes[: len(CITYSCAPES_IDS)] = np.arange(len(CITYSCAPES_IDS))
    for side in ("truth", "predicted"):
        for kind in ("labels", "classes"):
            (folder / f"{side}_{kind}").mkdir()
    for place in range(count):
        random = np.random.default_rng((seed, place))
        chosen = random.choice(len(ids), 16, replace=False)
        for side, region in zip(("truth", "predicted"), regions(random, len(chosen), size)):
            if side == "predicted":  # nobody predicts what is ignored
                chosen = np.where(classes[chosen] == IGNORED, 0, chosen)
            for kind, values in (("labels", ids), ("classes", classes)):
                name = f"city_{place:06}_000000_gtFine_labelIds.png"
                picture = values[chosen][region].astype(np.uint8)
                Image.fromarray(picture).save(folder / f"{side}_{kind}" / name)

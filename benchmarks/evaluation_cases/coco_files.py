"""Scenes as COCO and LVIS JSON files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from evaluation_cases.outlines import mask_boxes, masks, polygons, run_lengths
from evaluation_cases.scenes import Floats, Ints, Objects, Scene

KEYPOINTS = 17
LINES_AT_ONCE = 50_000


def image_ids(places: Ints) -> Ints:
    """Ids as COCO has them: far apart, not from 0 or 1 on."""
    return 139 + 116 * places


def category_ids(places: Ints) -> Ints:
    """Ids with gaps: 1 to 10, 12 to 21, ..."""
    return places + places // 10 + 1


# --- truth ------------------------------------------------------------------------------------


def write_truth(scene: Scene, path: Path, *, segmentations: bool, keypoints: bool = False) -> None:
    """An annotation file of boxes and, if wanted, polygons (runs, of crowds) or keypoints."""
    images = [
        {"id": i, "file_name": f"{i:012}.jpg", "height": h, "width": w}
        for i, h, w in zip(
            image_ids(np.arange(len(scene.heights))).tolist(),
            scene.heights.tolist(),
            scene.widths.tolist(),
        )
    ]
    names = [{"id": i, "name": f"category {i}", "supercategory": "thing"} for i in _known(scene)]
    content = {"images": images, "categories": names, "annotations": []}
    _write(path, content, _annotations(scene, segmentations, keypoints))


def write_lvis_truth(scene: Scene, path: Path, seed: int) -> None:
    """An LVIS annotation file: frequencies, and categories absent or not exhaustive in images."""
    random = np.random.default_rng(seed)
    truths, known = scene.truths, np.array(_known(scene))
    pairs = np.unique(truths.images * len(known) + truths.categories)
    holding = [known[part].tolist() for part in _split(pairs, len(scene.heights), len(known))]
    images = []
    for place, present in enumerate(holding):
        absent = np.setdiff1d(random.choice(known, 12), present)
        images.append(
            {
                "id": int(image_ids(np.int64(place))),
                "coco_url": f"http://localhost/{place:012}.jpg",
                "height": int(scene.heights[place]),
                "width": int(scene.widths[place]),
                "neg_category_ids": absent.tolist(),
                "not_exhaustive_category_ids": [i for i in present if random.random() < 0.1],
            }
        )
    in_images = np.bincount(pairs % len(known), minlength=len(known))
    of_all = np.bincount(truths.categories, minlength=len(known))
    categories = [
        {
            "id": i,
            "name": f"category_{i}",
            "synset": f"category.n.{i}",
            "frequency": "r" if held <= 10 else "c" if held <= 100 else "f",
            "image_count": held,
            "instance_count": count,
        }
        for i, held, count in zip(known.tolist(), in_images.tolist(), of_all.tolist())
    ]
    content = {"info": {}, "licenses": [], "images": images, "categories": categories}
    _write(path, {**content, "annotations": []}, _annotations(scene, True, False))


def _known(scene: Scene) -> list[int]:
    return [int(i) for i in category_ids(np.arange(scene.size.categories))]


def _split(pairs: Ints, images: int, categories: int) -> list[Ints]:
    bounds = np.searchsorted(pairs // categories, np.arange(images + 1))
    return [pairs[a:b] % categories for a, b in pairwise(bounds)]


def _annotations(scene: Scene, segmentations: bool, keypoints: bool) -> Iterator[str]:
    truths = scene.truths
    shapes, areas = polygons(truths)
    heights, widths = scene.heights[truths.images], scene.widths[truths.images]
    points = visible_keypoints(truths) if keypoints else None
    columns = zip(
        image_ids(truths.images).tolist(),
        category_ids(truths.categories).tolist(),
        truths.boxes.tolist(),
        areas.round(4).tolist(),
        truths.crowd.tolist(),
    )
    for place, (image, category, box, area, crowd) in enumerate(columns):
        record: dict[str, Any] = {
            "id": 1000 + 3 * place,
            "image_id": image,
            "category_id": category,
            "bbox": box,
            "area": area,
            "iscrowd": int(crowd),
        }
        if segmentations and crowd:
            one = np.array([place])
            runs, _ = run_lengths(truths.take(one), heights[one], widths[one])
            size = [int(heights[place]), int(widths[place])]
            record["segmentation"] = {"size": size, "counts": runs.tolist()}
        elif segmentations:
            record["segmentation"] = [shapes[place].tolist()]
        if points is not None:
            record["keypoints"] = points[place].tolist()
            record["num_keypoints"] = int((points[place, 2::3] > 0).sum())
        yield json.dumps(record)


def visible_keypoints(truths: Objects) -> Ints:
    """(N, 51) ``x, y, visibility`` in whole pixels; a third of the objects has none visible."""
    random = np.random.default_rng(5)
    points = _placed(truths)
    seen = random.random(len(truths)) < 0.65
    visibility = np.where(
        seen[:, None], random.choice([0, 1, 2], (len(truths), KEYPOINTS), p=[0.3, 0.1, 0.6]), 0
    )
    points = np.where(visibility[:, :, None] > 0, np.round(points), 0).astype(np.int64)
    return np.concatenate([points, visibility[:, :, None]], axis=2).reshape(len(truths), -1)


def _placed(objects: Objects) -> Floats:
    """(N, 17, 2) where the keypoints are: the same shares of every box, swayed by its shape."""
    shares = np.random.default_rng(6).uniform(0.1, 0.9, (KEYPOINTS, 2))
    sway = objects.shapes[:, np.arange(2 * KEYPOINTS) % objects.shapes.shape[1]]
    at = shares + 0.04 * sway.reshape(-1, KEYPOINTS, 2)
    return objects.boxes[:, None, :2] + at * objects.boxes[:, None, 2:]


# --- detections -------------------------------------------------------------------------------


def write_boxes(scene: Scene, path: Path) -> None:
    """A results file of boxes."""
    found = scene.detections
    columns = (image_ids(found.images), category_ids(found.categories), *found.boxes.T)
    _write_list(
        path,
        (
            f'{{"image_id": {i}, "category_id": {c}, "bbox": [{x}, {y}, {w}, {h}], "score": {s}}}'
            for i, c, x, y, w, h, s in _rows(*columns, found.scores)
        ),
    )


def write_masks(scene: Scene, path: Path, *, boxes: bool = False) -> None:
    """A results file of masks: without boxes, as the COCO server takes it, or with tight ones."""
    found = scene.detections
    heights, widths = scene.heights[found.images], scene.widths[found.images]
    counts = (one.decode("ascii").replace("\\", "\\\\") for one in masks(found, heights, widths))
    tight = [""] * len(found)
    if boxes:
        tight = [f'"bbox": {box}, ' for box in mask_boxes(found, heights).tolist()]
    columns = (image_ids(found.images), category_ids(found.categories), heights, widths)
    _write_list(
        path,
        (
            f'{{"image_id": {i}, "category_id": {c}, {box}"segmentation": '
            f'{{"size": [{h}, {w}], "counts": "{rle}"}}, "score": {s}}}'
            for (i, c, h, w, s), box, rle in zip(_rows(*columns, found.scores), tight, counts)
        ),
    )


def write_keypoints(scene: Scene, path: Path) -> None:
    """A results file of keypoints, with boxes."""
    found = scene.detections
    random = np.random.default_rng(7)
    spread = 0.02 * found.boxes[:, None, 2:]
    points = (_placed(found) + spread * random.normal(size=(len(found), KEYPOINTS, 2))).round(2)
    certain = random.random((len(found), KEYPOINTS, 1)).round(4)
    numbers = np.concatenate([points, certain], axis=2).reshape(len(found), -1).tolist()
    columns = (image_ids(found.images), category_ids(found.categories))
    _write_list(
        path,
        (
            f'{{"image_id": {i}, "category_id": {c}, "bbox": {box}, "keypoints": {row}, '
            f'"score": {s}}}'
            for (i, c, s), box, row in zip(
                _rows(*columns, found.scores), found.boxes.tolist(), numbers
            )
        ),
    )


def _rows(*columns: Ints | Floats) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.tolist() for column in columns))


# --- files ------------------------------------------------------------------------------------


def _write(path: Path, content: dict[str, Any], annotations: Iterable[str]) -> None:
    """JSON of the content, whose last field is an empty list, with the annotations in it."""
    head = json.dumps(content)
    with path.open("w") as file:
        file.write(head[: -len("]}")])
        _join(file.write, annotations)
        file.write("]}")


def _write_list(path: Path, records: Iterable[str]) -> None:
    with path.open("w") as file:
        file.write("[")
        _join(file.write, records)
        file.write("]")


def _join(write: Callable[[str], Any], records: Iterable[str]) -> None:
    waiting: list[str] = []
    separator = ""
    for record in records:
        waiting.append(record)
        if len(waiting) == LINES_AT_ONCE:
            write(separator + ", ".join(waiting))
            waiting, separator = [], ", "
    if waiting:
        write(separator + ", ".join(waiting))

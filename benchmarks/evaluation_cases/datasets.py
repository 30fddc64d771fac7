"""The named data sets that are measured on, made once and kept in a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evaluation_cases import coco_files, label_maps
from evaluation_cases.scenes import Scene, SceneSize, make_scene

VERSION = 1
"""Of the data; a change of what is written goes with another one."""

COCO = SceneSize(5_000, 37_070, 300_402, categories=80, crowds=417)
PERSONS = SceneSize(5_000, 9_722, 17_315, categories=1, crowds=90, per_image=20)
LVIS = SceneSize(5_000, 62_027, 1_500_000, categories=1203, per_image=300, themes=8, skew=1.3)
LVIS_MASKS = SceneSize(5_000, 62_027, 300_000, categories=1203, per_image=300, themes=8, skew=1.3)
OBJECTS_2M = SceneSize(20_000, 300_809, 2_000_000, categories=365, per_image=150, themes=6)
OBJECTS_8M = SceneSize(80_000, 1_200_000, 8_000_000, categories=365, per_image=150, themes=6)
PANOPTIC_MAPS, PANOPTIC_SIZE = 500, (480, 640)
SEMANTIC_MAPS, SEMANTIC_SIZE = 200, (1024, 2048)

Maker = Callable[[Path, float], None]


def _coco(folder: Path, scale: float) -> None:
    scene = make_scene(COCO.scaled(scale), seed=0)
    coco_files.write_truth(scene, folder / "truth.json", segmentations=True)
    coco_files.write_boxes(scene, folder / "boxes.json")
    _write_masks(scene, folder)


def _persons(folder: Path, scale: float) -> None:
    scene = make_scene(PERSONS.scaled(scale), seed=1)
    coco_files.write_truth(scene, folder / "truth.json", segmentations=False, keypoints=True)
    coco_files.write_keypoints(scene, folder / "keypoints.json")


def _lvis(folder: Path, scale: float) -> None:
    boxes, masks = (make_scene(size.scaled(scale), seed=2) for size in (LVIS, LVIS_MASKS))
    coco_files.write_lvis_truth(boxes, folder / "truth.json", seed=3)
    coco_files.write_boxes(boxes, folder / "boxes.json")
    _write_masks(masks, folder)


def _write_masks(scene: Scene, folder: Path) -> None:
    coco_files.write_masks(scene, folder / "masks.json")
    # For a peer that takes no masks without.
    coco_files.write_masks(scene, folder / "masks_with_boxes.json", boxes=True)


def _objects(size: SceneSize) -> Maker:
    def make(folder: Path, scale: float) -> None:
        scene = make_scene(size.scaled(scale), seed=4)
        coco_files.write_truth(scene, folder / "truth.json", segmentations=False)
        coco_files.write_boxes(scene, folder / "boxes.json")

    return make


def _panoptic(folder: Path, scale: float) -> None:
    count = max(1, round(PANOPTIC_MAPS * scale))
    label_maps.write_panoptic(folder, count, PANOPTIC_SIZE, seed=5)


def _semantic(folder: Path, scale: float) -> None:
    count = max(1, round(SEMANTIC_MAPS * scale))
    label_maps.write_semantic(folder, count, SEMANTIC_SIZE, seed=6)


MAKERS: dict[str, Maker] = {
    "coco": _coco,
    "persons": _persons,
    "lvis": _lvis,
    "objects_2m": _objects(OBJECTS_2M),
    "objects_8m": _objects(OBJECTS_8M),
    "panoptic": _panoptic,
    "semantic": _semantic,
}


@dataclass(frozen=True)
class DataFolder:
    """Where data sets lie.

    Attributes:
        root: the folder.
        scale: how large they are, 1 being as they are described.
    """

    root: Path
    scale: float

    def dataset(self, name: str) -> Path:
        """The folder of a data set, made if it is not there."""
        folder = self.root / f"{name}-{self.scale:g}-v{VERSION}"
        if not folder.is_dir():
            print(f"making {folder}", flush=True)
            staged = folder.with_name(f".{folder.name}.{os.getpid()}")
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(parents=True)
            MAKERS[name](staged, self.scale)
            staged.rename(folder)
        return folder

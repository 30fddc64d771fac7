"""COCO 2017 and 2014 in the usual layout::

    coco/annotations/{instances,person_keypoints,panoptic}_val2017.json
    coco/val2017/*.jpg
    coco/panoptic_val2017/*.png

Lin et al., Microsoft COCO: Common Objects in Context, 2014; Kirillov et al., Panoptic Segmentation,
2019.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchsuite.columns.person_keypoints import PERSON_KEYPOINTS
from benchsuite.errors import DataMissingError, UsageError
from benchsuite.protocols import Dataset, DatasetRequest
from benchsuite.specs import Category
from benchsuite_plugins.datasets.coco_format import CocoFormatDataset
from benchsuite_plugins.datasets.image_folder import ImageFolder
from benchsuite_plugins.datasets.panoptic_annotations import separated_categories
from benchsuite_plugins.datasets.panoptic_files import map_folder

__all__ = ["PERSON_KEYPOINTS", "CocoDataset", "CocoOptions", "open_coco"]

FOLDER = "coco"
"""Below the folder that datasets lie in."""

IMAGE_COUNTS = {"val2017": 5000, "train2017": 118287, "val2014": 40504, "train2014": 82783}

# Of the files in annotations_trainval2017.zip.
_PUBLISHED_SHA256 = {
    "instances_val2017.json": "e8c7f7908f1d7278341fae127d0da654f102f11bd7b21d8aeefa635b8c810b6f",
    "instances_train2017.json": "610fce4944abdeb15354cc765333805529359d12d88f2f711393ca586901d01d",
}

AnnotationKind = Literal["instances", "person_keypoints", "panoptic"]


@dataclass(frozen=True, slots=True)
class CocoOptions:
    """Options of ``coco``.

    Attributes:
        annotations: which truth: ``instances`` (boxes and masks of 80 categories),
            ``person_keypoints`` (boxes, masks and keypoints of people alone) or ``panoptic``
            (instances, and panoptic maps beside them). ``auto``: ``person_keypoints`` for a
            command about keypoints, ``panoptic`` for one about panoptic or semantic maps, else
            ``instances``.
    """

    annotations: Literal["auto"] | AnnotationKind = "auto"


class CocoDataset(CocoFormatDataset):
    """One split of COCO, by one of its annotation files.

    Args:
        folder: of COCO itself.
        split: which split.
        kind: which annotations.
        images: the split's images, if they are not in ``folder``.
        tasks: what the dataset is opened for. For ``semantic`` alone its categories are those of
            its semantic truth.

    Raises:
        DataMissingError: a file is not there; says where it was looked for and how to get it.
            Images are missed only when one is loaded.
        InputError: a file cannot be read, or none of the images is in the image folder.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        kind: AnnotationKind,
        images: Path | None = None,
        tasks: Sequence[str] = (),
    ) -> None:
        self._coco, self._split = folder, split
        self._image_folder = images or folder / split
        annotations = folder / "annotations"
        panoptic = annotations / f"panoptic_{split}.json" if kind == "panoptic" else None
        stem = "instances" if kind == "panoptic" else kind
        file = annotations / f"{stem}_{split}.json"
        for needed in (file, panoptic):
            if needed is not None and not needed.is_file():
                raise missing(f"the annotation file {needed.absolute()}", folder, split)
        if panoptic is not None and map_folder(panoptic) is None:
            raise missing(f"the folder {(folder / panoptic.stem).absolute()}", folder, split)
        self._semantic_alone = set(tasks) == {"semantic"}
        super().__init__(
            file,
            self._image_folder if images is not None or self._image_folder.is_dir() else None,
            keypoints=PERSON_KEYPOINTS if kind == "person_keypoints" else None,
            panoptic=panoptic,
        )
        self._published_sha256 = None if panoptic else _PUBLISHED_SHA256.get(file.name)

    @property
    def categories(self) -> tuple[Category, ...]:
        """All things as one category, before stuff, for semantic maps alone."""
        categories = super().categories
        return separated_categories(categories) if self._semantic_alone else categories

    @property
    def published_annotation_sha256(self) -> str | None:
        return self._published_sha256

    @property
    def published_image_count(self) -> int:
        return IMAGE_COUNTS[self._split]

    def image_source(self) -> ImageFolder:
        """Where the images are. Raises ``DataMissingError`` where their folder is not there."""
        if not self._image_folder.is_dir():
            what = f"the image folder {self._image_folder.absolute()}"
            raise missing(what, self._coco, self._split)
        return super().image_source()


def open_coco(request: DatasetRequest) -> Dataset:
    """The split of COCO that the request names."""
    options = request.options or CocoOptions()
    kind = options.annotations
    if kind == "auto":
        kind = _kind_for(request.tasks)
    if kind == "panoptic" and request.split.endswith("2014"):
        raise UsageError(f"coco/{request.split} has no panoptic annotations, only COCO 2017 has")
    folder = request.root / FOLDER
    return CocoDataset(folder, request.split, kind, request.images, request.tasks)


def _kind_for(tasks: Sequence[str]) -> AnnotationKind:
    if "keypoints" in tasks:
        return "person_keypoints"
    return "panoptic" if {"panoptic", "semantic"} & set(tasks) else "instances"


def missing(what: str, folder: Path, split: str) -> DataMissingError:
    """The error for a part of COCO that is not there: where it was looked for, how to get it.

    Args:
        what: what is not there, with its path.
        folder: of COCO itself.
    """
    variables = ("BENCHSUITE_DATASETS", "DETECTRON2_DATASETS")
    values = [f"${name} is {os.environ.get(name) or 'not set'}" for name in variables]
    hint = ""
    if (folder.parent / "annotations").is_dir():
        hint = (
            f" There is {(folder.parent / 'annotations').absolute()}: if that is COCO's, name its "
            f"folder {FOLDER} and let the variable say the folder above."
        )
    return DataMissingError(
        f"{what} is not there. Datasets are looked for in {folder.parent.absolute()} "
        f"({', '.join(values)}).{hint} Get it with: benchsuite data fetch coco --split {split}"
    )

"""ADE20K's scene parsing benchmark, in the layout of its archive::

    ade20k/ADEChallengeData2016/annotations/validation/ADE_val_00000001.png
    ade20k/ADEChallengeData2016/images/validation/ADE_val_00000001.jpg

Maps hold 1 to 150 for the categories, and 0 for what is none of them. Zhou et al., Scene Parsing
through ADE20K Dataset, 2017.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from benchsuite.columns.arrow_arrays import empty_table, from_values
from benchsuite.columns.tables import filled_table, image_columns
from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Dataset, DatasetRequest, Truth
from benchsuite.records import Image, ImageRecord
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite.specs import Category
from benchsuite_kernels.columns.label_maps import MapError, read_size
from benchsuite_plugins.datasets.ade20k_categories import CATEGORIES

if TYPE_CHECKING:
    from benchsuite_plugins.datasets.image_folder import ImageFolder

__all__ = ["CATEGORIES", "Ade20kDataset", "open_ade20k"]

FOLDER, ARCHIVE = "ade20k", "ADEChallengeData2016"
"""Below the folder that datasets lie in; the archive's own folder is taken beside it too."""

FOLDERS = {"val": "validation", "train": "training"}
IMAGE_COUNTS = {"val": 2000, "train": 20210}

URL = "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip"


class Ade20kDataset:
    """One split of ADE20K: semantic maps of 150 categories.

    Image ids count the images by name, from 1. Truth is the maps as they are.

    Args:
        root: the folder that datasets lie in.
        split: ``val`` or ``train``.

    Raises:
        DataMissingError: a file is not there; says where it was looked for and how to get it.
            Images are missed only when one is loaded.
        InputError: a map cannot be read.
    """

    def __init__(self, root: Path, split: str) -> None:
        self._root, self._split = root, split
        candidates = (root / FOLDER / ARCHIVE, root / ARCHIVE)
        self._folder = next((each for each in candidates if each.is_dir()), candidates[0])
        self._annotations = self._folder / "annotations" / FOLDERS[split]
        self._maps = sorted(self._annotations.glob("*.png"))
        if not self._maps:
            raise self._missing(f"the folder of maps {self._annotations.absolute()}")
        self._records = tuple(
            ImageRecord(number, f"{path.stem}.jpg", *_width_and_height(path))
            for number, path in enumerate(self._maps, start=1)
        )

    @property
    def categories(self) -> tuple[Category, ...]:
        return CATEGORIES

    @property
    def keypoints(self) -> None:
        return None

    @property
    def tasks(self) -> tuple[str, ...]:
        return ("semantic",)

    @cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256()
        for path in self._maps:
            of_file = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.name} {of_file}\n".encode())
        return digest.hexdigest()

    @property
    def annotation_sha256(self) -> str:
        """SHA-256 of the names and hashes of all maps."""
        return self._sha256

    @property
    def published_annotation_sha256(self) -> None:
        return None

    @property
    def published_image_count(self) -> int:
        return IMAGE_COUNTS[self._split]

    def images(self) -> Sequence[ImageRecord]:
        """All images, by name."""
        return self._records

    @cached_property
    def _images(self) -> ImageFolder:
        folder = self._folder / "images" / FOLDERS[self._split]
        if not folder.is_dir():
            raise self._missing(f"the image folder {folder.absolute()}")
        from benchsuite_plugins.datasets.image_folder import ImageFolder

        return ImageFolder(folder, annotations=self._annotations)

    def load(self, record: ImageRecord) -> Image:
        """The image, decoded: see ``ImageFolder.load``."""
        return self._images.load(record)

    def image_source(self) -> ImageFolder:
        """Where the images are."""
        return self._images

    def truth(self, task: str) -> Truth:
        """The maps, by path."""
        if task != "semantic":
            raise InputError(f"holds no truth for {task}; it serves semantic", file=self._folder)
        paths = from_values([str(path) for path in self._maps], pa.string())
        columns = {**image_columns(self._records), "semantic_path": paths}
        return Truth(
            images=filled_table(columns, TRUTH_IMAGES, len(self._records)),
            instances=empty_table(TRUTH_INSTANCES),
            categories=CATEGORIES,
            source=str(self._annotations),
        )

    def _missing(self, what: str) -> DataMissingError:
        variables = ("BENCHSUITE_DATASETS", "DETECTRON2_DATASETS")
        values = [f"${name} is {os.environ.get(name) or 'not set'}" for name in variables]
        return DataMissingError(
            f"{what} is not there. Datasets are looked for in {self._root.absolute()} "
            f"({', '.join(values)}). Get {URL} and unpack it in {(self._root / FOLDER).absolute()}"
        )


def open_ade20k(request: DatasetRequest) -> Dataset:
    """The split of ADE20K that the request names."""
    return Ade20kDataset(request.root, request.split)


def _width_and_height(path: Path) -> tuple[int, int]:
    try:
        height, width = read_size(path)
    except MapError as error:
        raise InputError(f"the map {error.problem}", file=path) from None
    return width, height

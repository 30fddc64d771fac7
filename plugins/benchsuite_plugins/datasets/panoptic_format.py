"""A dataset of a COCO panoptic annotation file alone: panoptic and semantic truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from benchsuite.errors import InputError, UsageError
from benchsuite.protocols import Truth
from benchsuite.records import Image, ImageRecord
from benchsuite.specs import Category, KeypointLayout
from benchsuite_plugins.datasets.image_folder import ImageFolder
from benchsuite_plugins.datasets.panoptic_annotations import (
    PanopticAnnotations,
    separated_categories,
)

SemanticForm = Literal["separated", "standard"]


class PanopticFormatDataset:
    """A panoptic annotation file and its folder of maps.

    Args:
        file: the JSON file. Its maps are in the folder called as the file is without ``.json``,
            beside the file or one level up.
        images: the folder that its images' ``file_name`` fields are relative to; ``None``: truth
            only.
        semantic: what the semantic truth has of things: ``"separated"``, all of them as one
            category, as Panoptic FPN's semantic branch knows them; ``"standard"``, each as its own.
        tasks: what the dataset is opened for. For ``semantic`` alone its categories are those of
            its semantic truth; else those of the file.
        maps: the folder of its maps, where they are elsewhere.

    Raises:
        DataMissingError: a file or folder is not there.
        InputError: a file cannot be read, lacks a field, or contradicts itself; or the image
            folder holds none of the images.
    """

    def __init__(
        self,
        file: Path,
        images: Path | None,
        *,
        semantic: SemanticForm = "separated",
        tasks: Sequence[str] = (),
        maps: Path | None = None,
    ) -> None:
        self._file, self._semantic = file, semantic
        self._annotations = PanopticAnnotations(file, maps=maps)
        self._records = self._annotations.images()
        self._semantic_alone = set(tasks) == {"semantic"}
        self._folder = None if images is None else ImageFolder(images, annotations=file)
        if self._folder is not None:
            self._folder.check(self._records)

    @property
    def categories(self) -> tuple[Category, ...]:
        if self._semantic_alone and self._semantic == "separated":
            return separated_categories(self._annotations.categories)
        return self._annotations.categories

    @property
    def keypoints(self) -> KeypointLayout | None:
        return None

    @property
    def tasks(self) -> tuple[str, ...]:
        return ("semantic", "panoptic")

    @property
    def annotation_sha256(self) -> str:
        return self._annotations.sha256

    def images(self) -> Sequence[ImageRecord]:
        """All images, by ascending id."""
        return self._records

    def load(self, record: ImageRecord) -> Image:
        """The image, decoded: see ``ImageFolder.load``."""
        return self.image_source().load(record)

    def image_source(self) -> ImageFolder:
        """Where the images are."""
        if self._folder is None:
            raise UsageError(
                f"the images of {self._file} are needed, but no image folder was given;"
                " give one with --images DIR"
            )
        return self._folder

    def truth(self, task: str) -> Truth:
        """Ground truth as columns: panoptic maps and their segments, for both tasks."""
        if task == "panoptic" or (task == "semantic" and self._semantic == "standard"):
            return self._annotations.truth(self._records)
        if task == "semantic":
            return self._annotations.separated_truth(self._records)
        raise InputError(
            f"holds no truth for {task}; it serves {', '.join(self.tasks)}", file=self._file
        )

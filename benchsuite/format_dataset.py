"""Truth in any label format, as a dataset: what ``--dataset PATH`` opens where no dataset plugin
reads the path itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchsuite.columns.image_columns import ImageColumns
from benchsuite.errors import InputError, UsageError
from benchsuite.records import ImageRecord

if TYPE_CHECKING:
    from benchsuite.protocols import Truth
    from benchsuite.records import Image
    from benchsuite.specs import Category, FormatSpec, KeypointLayout

_SHOWN_BY = {
    "bbox": ("instances", "bbox"),
    "segm": ("instances", "segmentation"),
    "keypoints": ("instances", "keypoints"),
    "rotated": ("instances", "rotated_box"),
    "semantic": ("images", "semantic_path"),
    "panoptic": ("images", "panoptic_path"),
}
"""Task to the table and column that a truth which serves it has something in."""


_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"}

_MAPS = ("semantic_path", "panoptic_path", "instance_path")
"""Columns that name pictures which are truth."""


class FormatDataset:
    """A ``benchsuite.protocols.Dataset`` of truth that a format's reader made.

    Args:
        path: the file or folder that was read.
        spec: the format.
        truth: what the reader made of it.
    """

    def __init__(self, path: Path, spec: FormatSpec, truth: Truth) -> None:
        self._path, self._spec, self._truth = path, spec, truth
        self._maps = {
            name
            for column in _MAPS
            if column in truth.images.column_names
            for name in truth.images[column].to_pylist()
        }

    @property
    def categories(self) -> tuple[Category, ...]:
        return self._truth.categories

    @property
    def keypoints(self) -> KeypointLayout | None:
        return self._truth.keypoints

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(
            task
            for task, (table, column) in _SHOWN_BY.items()
            if self._has(table, column) or (task == "bbox" and not len(self._truth.instances))
        )

    @property
    def annotation_sha256(self) -> str:
        """SHA-256 over the path's files but for images: their names and their bytes, by name."""
        if self._path.is_file():
            return hashlib.sha256(self._path.read_bytes()).hexdigest()
        whole = hashlib.sha256()
        for file in sorted(path for path in self._path.rglob("*") if self._says_truth(path)):
            whole.update(f"{file.relative_to(self._path).as_posix()}\n".encode())
            whole.update(hashlib.sha256(file.read_bytes()).digest())
        return whole.hexdigest()

    def images(self) -> Sequence[ImageRecord]:
        return ImageColumns.of(self._truth.images).records()

    def load(self, record: ImageRecord) -> Image:
        raise UsageError(
            f"a model runs on COCO-format files: benchsuite data convert {self._path} my.json "
            f"--from {self._spec.name} --to coco"
        )

    def truth(self, task: str) -> Truth:
        if task not in self.tasks:
            raise InputError(
                f"holds no truth for {task}; it serves {', '.join(self.tasks)}", file=self._path
            )
        return self._truth

    def _says_truth(self, path: Path) -> bool:
        return path.is_file() and (path.suffix.lower() not in _PICTURES or str(path) in self._maps)

    def _has(self, table: str, column: str) -> bool:
        found = getattr(self._truth, table)
        if column not in found.column_names:
            return False
        return bool(found[column].null_count < len(found))

"""``shapes`` opened: its cached files, read as any COCO-format dataset's are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchsuite.errors import unknown_name
from benchsuite.progress import progress
from benchsuite.protocols import Dataset, DatasetRequest, Truth
from benchsuite_plugins.datasets.coco_format import CocoFormatDataset
from benchsuite_plugins.datasets.shapes.cache import cached_split
from benchsuite_plugins.datasets.shapes.categories import CATEGORIES, KEYPOINTS
from benchsuite_plugins.datasets.shapes.options import DEFAULT_COUNTS, ShapesOptions
from benchsuite_plugins.datasets.shapes.split import INSTANCES, PANOPTIC, write_split


class ShapesDataset(CocoFormatDataset):
    """The files of one split.

    Args:
        folder: the split's.
        tasks: what the dataset is opened for. Beside panoptic maps, semantic truth is as Panoptic
            FPN's semantic branch knows it, with all things as one category; else things are of
            their own categories there too.
    """

    def __init__(self, folder: Path, tasks: Sequence[str] = ()) -> None:
        self._separated = "panoptic" in tasks
        super().__init__(
            folder / INSTANCES,
            folder / "images",
            categories=CATEGORIES,
            keypoints=KEYPOINTS,
            panoptic=folder / PANOPTIC,
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        return ("bbox", "segm", "keypoints", "semantic", "panoptic")

    def truth(self, task: str) -> Truth:
        """Ground truth as columns; ``semantic`` has the panoptic maps, with their segments."""
        if task == "semantic" and not self._separated:
            return super().truth("panoptic")
        return super().truth(task)


def open_split(request: DatasetRequest) -> Dataset:
    """See ``benchsuite_plugins.datasets.shapes.open_shapes``."""
    options = request.options or ShapesOptions()
    if request.split not in DEFAULT_COUNTS:
        raise unknown_name("split of shapes", request.split, DEFAULT_COUNTS)

    def write(folder: Path) -> None:
        title, count = f"drawing shapes/{request.split}", options.images_in(request.split)
        with progress(title, count) as shown:
            write_split(folder, options, request.split, shown.advance)

    return ShapesDataset(cached_split(request.cache, options, request.split, write), request.tasks)

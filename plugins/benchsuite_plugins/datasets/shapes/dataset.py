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

PUBLISHED_SHA256 = {
    "val": "39d43bc594a559e796a2ca59ef1c4cfd6adaebe1ab7a959600b40555398c1a91",
    "train": "e2633ad7086dc02b654de017323eee7c7b60c484612abf10913529d8e744e631",
}
"""Split to the hash of its annotations, as the options are where nobody changes them."""


class ShapesDataset(CocoFormatDataset):
    """The files of one split.

    Args:
        folder: the split's.
        tasks: what the dataset is opened for. Beside panoptic maps, semantic truth is as Panoptic
            FPN's semantic branch knows it, with all things as one category; else things are of
            their own categories there too.
        published_annotation_sha256, published_image_count: of what numbers are published on;
            ``None``: of such a dataset as this none are.
    """

    def __init__(
        self,
        folder: Path,
        tasks: Sequence[str] = (),
        *,
        published_annotation_sha256: str | None = None,
        published_image_count: int | None = None,
    ) -> None:
        self._separated = "panoptic" in tasks
        self.published_annotation_sha256 = published_annotation_sha256
        self.published_image_count = published_image_count
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

    folder = cached_split(request.cache, options, request.split, write)
    if options != ShapesOptions():
        return ShapesDataset(folder, request.tasks)
    return ShapesDataset(
        folder,
        request.tasks,
        published_annotation_sha256=PUBLISHED_SHA256[request.split],
        published_image_count=DEFAULT_COUNTS[request.split],
    )

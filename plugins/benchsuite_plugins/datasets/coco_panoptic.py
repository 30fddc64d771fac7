"""COCO's panoptic annotations alone, in the usual layout::

    coco/annotations/panoptic_val2017.json
    coco/panoptic_val2017/*.png
    coco/val2017/*.jpg

Kirillov et al., Panoptic Segmentation, 2019. (``coco`` has them too, beside instances.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchsuite.protocols import Dataset, DatasetRequest
from benchsuite_plugins.datasets.coco import FOLDER, IMAGE_COUNTS, missing
from benchsuite_plugins.datasets.image_folder import ImageFolder
from benchsuite_plugins.datasets.panoptic_files import map_folder
from benchsuite_plugins.datasets.panoptic_format import PanopticFormatDataset, SemanticForm

__all__ = ["CocoPanopticDataset", "CocoPanopticOptions", "open_coco_panoptic"]


@dataclass(frozen=True, slots=True)
class CocoPanopticOptions:
    """Options of ``coco_panoptic``.

    Attributes:
        semantic: what the semantic truth has of things. ``separated``: all of them as one category
            beside 53 kinds of stuff, as in Detectron2's ``panoptic_separated``, and for semantic
            maps alone in its ``panoptic_stuffonly``. ``standard``: each of 133 categories as it is.
    """

    semantic: SemanticForm = "separated"


class CocoPanopticDataset(PanopticFormatDataset):
    """One split of COCO's panoptic annotations.

    Raises:
        DataMissingError: a file is not there; says where it was looked for and how to get it.
            Images are missed only when one is loaded.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        *,
        semantic: SemanticForm = "separated",
        tasks: tuple[str, ...] = (),
        images: Path | None = None,
    ) -> None:
        self._coco, self._split = folder, split
        self._image_folder = images or folder / split
        file = folder / "annotations" / f"panoptic_{split}.json"
        if not file.is_file():
            raise missing(f"the annotation file {file.absolute()}", folder, split)
        if map_folder(file) is None:
            raise missing(f"the folder {(folder / file.stem).absolute()}", folder, split)
        there = images is not None or self._image_folder.is_dir()
        super().__init__(
            file, self._image_folder if there else None, semantic=semantic, tasks=tasks
        )

    @property
    def published_annotation_sha256(self) -> str | None:
        return None

    @property
    def published_image_count(self) -> int:
        return IMAGE_COUNTS[self._split]

    def image_source(self) -> ImageFolder:
        """Where the images are. Raises ``DataMissingError`` where their folder is not there."""
        if not self._image_folder.is_dir():
            raise missing(
                f"the image folder {self._image_folder.absolute()}", self._coco, self._split
            )
        return super().image_source()


def open_coco_panoptic(request: DatasetRequest) -> Dataset:
    """The split of COCO that the request names."""
    options = request.options or CocoPanopticOptions()
    return CocoPanopticDataset(
        request.root / FOLDER,
        request.split,
        semantic=options.semantic,
        tasks=request.tasks,
        images=request.images,
    )

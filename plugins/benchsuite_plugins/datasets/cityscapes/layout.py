"""Where Cityscapes' files lie, and what is said where one is missing::

cityscapes/leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png
cityscapes/gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_instanceIds.png
cityscapes/gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelIds.png
cityscapes/gtFine/cityscapes_panoptic_val.json
cityscapes/gtFine/cityscapes_panoptic_val/frankfurt_000000_000294_gtFine_panoptic.png
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from benchsuite.errors import DataMissingError

FOLDER = "cityscapes"
"""Below the folder that datasets lie in."""

INSTANCE_IDS, LABEL_IDS, TRAIN_IDS = "instanceIds", "labelIds", "labelTrainIds"
"""Kinds of annotation files of a frame."""

REMEDIES = {
    INSTANCE_IDS: "It is part of gtFine_trainvaltest.zip",
    LABEL_IDS: "It is part of gtFine_trainvaltest.zip; maps of train ids are taken in its place, "
    "where csCreateTrainIdLabelImgs has made them",
}
"""How to get an annotation file that is missing among others."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One annotated image.

    Attributes:
        city: its folder.
        name: ``<city>_<sequence>_<frame>``, which the names of all its files begin with.
    """

    city: str
    name: str

    @property
    def image_name(self) -> str:
        """Relative to the split's image folder."""
        return f"{self.city}/{self.name}_leftImg8bit.png"


class SplitFiles:
    """The files of one split.

    Args:
        folder: of Cityscapes itself.
        split: which split.

    Attributes:
        annotations: the split's annotation folder.
        images: the split's image folder, which need not be there.
        frames: by city, then name: what has annotations.

    Raises:
        DataMissingError: there are no annotations.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self.folder, self.split = folder, split
        self.annotations = folder / "gtFine" / split
        self.images = folder / "leftImg8bit" / split
        if not self.annotations.is_dir():
            raise missing(
                f"the annotation folder {self.annotations.absolute()} is not there", folder
            )
        self._kinds: dict[Frame, set[str]] = {}
        for city in sorted(each for each in self.annotations.iterdir() if each.is_dir()):
            for path in sorted(city.glob("*_gtFine_*.png")):
                name, _, kind = path.stem.rpartition("_gtFine_")
                self._kinds.setdefault(Frame(city.name, name), set()).add(kind)
        self.frames = tuple(self._kinds)
        if not self.frames:
            raise missing(
                f"the city folders of {self.annotations.absolute()} hold no *_gtFine_*.png", folder
            )

    def path(self, frame: Frame, kind: str) -> Path:
        """Where the frame's annotation file of a kind is looked for."""
        return self.annotations / frame.city / f"{frame.name}_gtFine_{kind}.png"

    def complete(self, kind: str) -> bool:
        """Whether each frame has a file of the kind."""
        return all(kind in kinds for kinds in self._kinds.values())

    def require(self, kind: str) -> None:
        """Raises ``DataMissingError`` for the first frame without a file of the kind."""
        for frame, kinds in self._kinds.items():
            if kind not in kinds:
                raise DataMissingError(
                    f"the annotation file {self.path(frame, kind).absolute()} is not there. "
                    f"{REMEDIES[kind]}."
                )

    @property
    def panoptic_file(self) -> Path:
        return self.folder / "gtFine" / f"cityscapes_panoptic_{self.split}.json"


def missing(problem: str, folder: Path) -> DataMissingError:
    """The error for a part of Cityscapes that is not there: where it was looked for, how to get it.

    Args:
        problem: what is not there, with its path, in a clause.
        folder: of Cityscapes itself.
    """
    variables = ("BENCHSUITE_DATASETS", "DETECTRON2_DATASETS")
    values = [f"${name} is {os.environ.get(name) or 'not set'}" for name in variables]
    return DataMissingError(
        f"{problem}. Datasets are looked for in {folder.parent.absolute()} "
        f"({', '.join(values)}). Cityscapes asks for an account at "
        "https://www.cityscapes-dataset.com: get gtFine_trainvaltest.zip and, for images, "
        "leftImg8bit_trainvaltest.zip there (or with csDownload, which comes with "
        f"cityscapesscripts) and unpack both in {folder.absolute()}"
    )

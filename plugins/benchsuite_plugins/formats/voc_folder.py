"""The folders of Pascal VOC: annotations, lists of images, images::

    Annotations/000005.xml
    ImageSets/Main/test.txt        000005, a line an image
    JPEGImages/000005.jpg

A folder that holds XML files alone is taken for ``Annotations``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchsuite.errors import DataMissingError, InputError, UsageError, unknown_name
from benchsuite_plugins.formats.recognition import VOC_ANNOTATIONS
from benchsuite_plugins.formats.text_file import line_error, lines_of, shortened

IMAGES = "JPEGImages"

EVERYTHING = "all"
"""The split of all annotations, listed or not."""


@dataclass(frozen=True, slots=True)
class VocFolder:
    """A folder of Pascal VOC.

    Attributes:
        annotations: where the XML files are.
        lists: where the lists of images are; may not be there.
        images: where the images are; may not be there.
    """

    annotations: Path
    lists: Path
    images: Path

    @classmethod
    def at(cls, path: Path) -> VocFolder:
        """The folder at a path.

        Raises:
            DataMissingError: it holds no XML file.
        """
        base = path if (path / VOC_ANNOTATIONS).is_dir() else path.parent
        annotations = path / VOC_ANNOTATIONS if base == path else path
        if not annotations.is_dir() or not any(annotations.glob("*.xml")):
            raise DataMissingError(
                f"there are no VOC annotations in {path}: neither {VOC_ANNOTATIONS}/*.xml nor *.xml"
            )
        return cls(annotations, base / "ImageSets" / "Main", base / IMAGES)

    def splits(self) -> list[str]:
        """Names of the lists of images, but for those of one class (``aeroplane_train``)."""
        if not self.lists.is_dir():
            return []
        lists = sorted(path.stem for path in self.lists.glob("*.txt"))
        return [name for name in lists if name.rpartition("_")[2] not in lists or "_" not in name]

    def image_names(self, split: str | None) -> Sequence[str]:
        """Names of a split's images, in the list's order.

        Args:
            split: a list's name, or ``EVERYTHING``; ``None``: the only one there is.

        Raises:
            UsageError: there is no such list, or there are several and none is named.
            InputError: the list is malformed.
        """
        splits = self.splits()
        if split is None:
            if len(splits) > 1:
                raise UsageError(
                    f"{self.lists} lists the splits {', '.join(splits)}: name one of them, or "
                    f"{EVERYTHING!r}"
                )
            split = splits[0] if splits else EVERYTHING
        file = self.lists / f"{split}.txt"
        if file.is_file():
            return _listed(file)
        if split == EVERYTHING:
            return sorted(path.stem for path in self.annotations.glob("*.xml"))
        raise unknown_name(f"split of {self.annotations.parent}", split, [*splits, EVERYTHING])


def _listed(file: Path) -> list[str]:
    places: dict[str, int] = {}
    for line, name in lines_of(file):
        if len(name.split()) != 1 or "/" in name or "\\" in name:
            raise line_error(file, line, f"{shortened(name)} is no name of an image")
        if name in places:
            raise line_error(file, line, f"the image {name} is that of line {places[name]}")
        places[name] = line
    if not places:
        raise InputError("lists no image", file=file)
    return list(places)

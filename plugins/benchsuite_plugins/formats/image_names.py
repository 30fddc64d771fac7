"""Images that a format knows by name: what ids they get, and which one a name means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from benchsuite.records import ImageRecord

_DIGITS = re.compile(r"[0-9]+(_[0-9]+)*")

_LARGEST = 2**63 - 1


def stem_of(file_name: str) -> str:
    """The name without folders and ending."""
    return PurePosixPath(file_name).stem


def image_ids(names: Sequence[str]) -> list[int]:
    """Ids of images that are named, but not numbered.

    Args:
        names: file names, with or without folders and endings.

    Returns:
        The digits of each name, where all names are of digits and underscores and no two have the
        same (``000000000139`` is 139, as in COCO; ``2008_000008`` is 2008000008); else 1, 2, 3, ...
    """
    stems = [stem_of(name) for name in names]
    if all(_DIGITS.fullmatch(stem) and len(stem) < 30 for stem in stems):
        ids = [int(stem.replace("_", "")) for stem in stems]
        if len(set(ids)) == len(ids) and all(number <= _LARGEST for number in ids):
            return ids
    return list(range(1, len(stems) + 1))


class ImageNames:
    """Which image a name without ending means: its path, or where that is enough its last part.

    Args:
        records: the images.
    """

    def __init__(self, records: Sequence[ImageRecord]) -> None:
        self._paths: dict[str, int] = {}
        self._stems: dict[str, int | None] = {}
        for row, record in enumerate(records):
            path = PurePosixPath(record.file_name)
            self._paths[str(path.with_suffix("")) if path.name else ""] = row
            # None where two images in different folders share a name.
            self._stems[path.stem] = None if path.stem in self._stems else row

    def row(self, name: str) -> int | None:
        """The place of the image among the records.

        Args:
            name: as in a label file: a path with ``/`` or a bare name, without ending.

        Returns:
            ``None`` where there is no such image, or more than one.
        """
        if name in self._paths:
            return self._paths[name]
        return self._stems.get(name.rpartition("/")[2])

    def means_several(self, name: str) -> bool:
        """Whether images in different folders share the name."""
        last = name.rpartition("/")[2]
        return self._stems.get(last, 0) is None

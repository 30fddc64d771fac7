"""Files of proposals: the regions that another detector found, image by image.

Two forms are known, told apart by what is in the file:

``.npz``
    For each image ``<image>/boxes``, (P, 4), x1, y1, x2, y2, best first, and
    ``<image>/objectness_logits``, (P,). ``<image>`` is the image's id, or its file name as the
    dataset has it.
``.pkl``
    Detectron2's: a dict of the lists ``ids``, ``boxes`` and ``objectness_logits`` (Detectron's:
    ``indexes`` and ``scores`` for the first and last), an entry an image, and ``bbox_mode``: 0
    (or none) where boxes are x1, y1, x2, y2; 1 where they are x, y, width, height. They may be in
    any order.

Coordinates are pixels of the original image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import DataMissingError, InputError
from benchsuite.records import ImageRecord
from benchsuite_plugins.checkpoints.array_unpickler import REMEDY, ArrayRecord, read_array_pickle
from benchsuite_plugins.checkpoints.npz_file import read_npz_file
from benchsuite_plugins.checkpoints.zip_archive import open_archive

BOXES, LOGITS = "boxes", "objectness_logits"
CORNERS, CORNER_AND_SIZE = 0, 1

Entry = tuple[str, NDArray[Any], NDArray[Any]]
"""An image's id or file name, its boxes and their logits."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageProposals:
    """The proposals of one image, best first.

    Attributes:
        boxes: (P, 4) float32, xyxy, pixels of the original image; they may reach beyond it.
        logits: (P,) float32, objectness before the sigmoid.
    """

    boxes: NDArray[np.float32]
    logits: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ProposalFile:
    """What a file holds.

    Attributes:
        sha256: of the file, which is part of what a result depends on.
        images: proposals by the image's id, in digits, or by its file name.
    """

    path: Path
    sha256: str
    images: Mapping[str, ImageProposals]

    def of(self, record: ImageRecord) -> ImageProposals:
        """The proposals of an image.

        Raises:
            InputError: the file has none for it, not even an empty list.
        """
        for name in (str(record.id), record.file_name):
            if name in self.images:
                return self.images[name]
        raise _no_entry(self.path, record, len(self.images))


def _no_entry(path: Path, record: ImageRecord, others: int) -> InputError:
    return InputError(
        f"has no entry for this image, and for {others} others",
        file=path,
        record=f"image {record.id} ({record.file_name})",
        remedy="Name a file with proposals for every image of the dataset's split",
    )


class TrainingProposals:
    """The boxes of a file of proposals, image by image, in one array that processes can share."""

    def __init__(self, file: ProposalFile) -> None:
        boxes = [each.boxes for each in file.images.values()]
        self._path = file.path
        self._places = {name: place for place, name in enumerate(file.images)}
        self._ends = np.cumsum([0, *map(len, boxes)])
        self._boxes = np.concatenate([np.zeros((0, 4), np.float32), *boxes])

    def __call__(self, record: ImageRecord) -> NDArray[np.float32]:
        """(P, 4), xyxy, best first.

        Raises:
            InputError: the file has none for the image, not even an empty list.
        """
        for name in (str(record.id), record.file_name):
            if (place := self._places.get(name)) is not None:
                boxes: NDArray[np.float32] = self._boxes[self._ends[place] : self._ends[place + 1]]
                return boxes.copy()
        raise _no_entry(self._path, record, len(self._places))


def read_training_proposals(path: Path) -> TrainingProposals:
    """Read a file of either form, for training; see ``read_proposal_file``."""
    return TrainingProposals(read_proposal_file(path))


def read_proposal_file(path: Path) -> ProposalFile:
    """Read a file of either form; nothing in it is executed.

    Raises:
        DataMissingError: there is no such file.
        InputError: it is of no known form, damaged, asks to execute anything, or an entry is not
            what it should be.
    """
    if not path.is_file():
        raise DataMissingError(f"there is no proposals file {path}")
    with path.open("rb") as file:
        start = file.read(2)
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if start == b"PK":
        entries = _npz_entries(path)
    elif start.startswith(b"\x80"):
        entries = _pickle_entries(path)
    else:
        what = f"begins with {start!r}" if start else "is empty"
        raise InputError(
            f"{what}: no proposals in NumPy's .npz or Detectron2's .pkl form", file=path
        )
    images: dict[str, ImageProposals] = {}
    for name, boxes, logits in entries:
        if name in images:
            raise InputError("is there twice", file=path, record=f"image {name}")
        images[name] = ImageProposals(boxes.astype(np.float32), logits.astype(np.float32))
    return ProposalFile(path, sha256, images)


def _checked(
    boxes: NDArray[Any], logits: NDArray[Any], path: Path, name: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    if boxes.size == 0 == logits.size:
        boxes, logits = boxes.reshape(0, 4), logits.reshape(0)
    if boxes.shape != (logits.size, 4) or logits.ndim != 1:
        raise InputError(
            f"has boxes of shape {boxes.shape} and logits of shape {logits.shape}, not (P, 4) "
            "and (P,)",
            file=path,
            record=f"image {name}",
        )
    return boxes, logits


def _npz_entries(path: Path) -> Iterator[Entry]:
    with open_archive(path) as archive:
        arrays = read_npz_file(archive, path)
    for member in arrays:
        if member.rpartition("/")[2] not in (BOXES, LOGITS) or "/" not in member:
            raise InputError(
                f"is none of <image>/{BOXES} and <image>/{LOGITS}", file=path, record=member
            )
    for name in dict.fromkeys(member.rpartition("/")[0] for member in arrays):
        for part in (BOXES, LOGITS):
            if f"{name}/{part}" not in arrays:
                raise InputError(f"has no {part}", file=path, record=f"image {name}")
        boxes, logits = (arrays[f"{name}/{part}"].numpy() for part in (BOXES, LOGITS))
        yield name, *_checked(boxes, logits, path, name)


def _pickle_entries(path: Path) -> Iterator[Entry]:
    content = read_array_pickle(path)
    if not isinstance(content, dict):
        raise InputError(f"holds a {type(content).__name__} in place of a dict", file=path)
    mode = content.get("bbox_mode", CORNERS)
    if mode not in (CORNERS, CORNER_AND_SIZE):
        raise InputError(
            f"is {mode!r}; 0 (x1, y1, x2, y2) and 1 (x, y, width, height) are known",
            file=path,
            record="bbox_mode",
        )
    ids = _list(content, ("ids", "indexes"), path)
    boxes, logits = _list(content, (BOXES,), path), _list(content, (LOGITS, "scores"), path)
    if not len(ids) == len(boxes) == len(logits):
        raise InputError(
            f"has {len(ids)} images, {len(boxes)} lists of boxes, {len(logits)} of logits",
            file=path,
        )
    available = path.stat().st_size
    for index, image in enumerate(ids):
        name = _name(image, path, index)
        corners = _array(boxes[index], path, f"{BOXES}[{index}]")
        own_logits = _array(logits[index], path, f"{LOGITS}[{index}]")
        available -= corners.nbytes + own_logits.nbytes
        if available < 0:
            raise InputError(
                "holds arrays that share their bytes, more together than the file is long",
                file=path,
                remedy=REMEDY,
            )
        corners, own_logits = _checked(corners, own_logits, path, name)
        if mode == CORNER_AND_SIZE:
            corners = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1)
        best_first = np.argsort(-own_logits.astype(np.float64), kind="stable")
        yield name, corners[best_first], own_logits[best_first]


def _list(content: Mapping[Any, Any], names: tuple[str, ...], path: Path) -> Any:
    value = next((content[name] for name in names if name in content), None)
    if isinstance(value, ArrayRecord):
        value = list(np.atleast_1d(_array(value, path, names[0])))
    if not isinstance(value, list | tuple):
        raise InputError(
            f"is a {type(value).__name__} in place of a list", file=path, record=names[0]
        )
    return value


def _name(image: Any, path: Path, index: int) -> str:
    value = image
    if isinstance(image, ArrayRecord) and (array := _array(image, path, f"ids[{index}]")).ndim == 0:
        value = array[()]
    if isinstance(value, bool) or not isinstance(value, int | np.integer | str):
        raise InputError(f"is no number and no name: {value!r}", file=path, record=f"ids[{index}]")
    return str(value)


def _array(value: Any, path: Path, record: str) -> NDArray[Any]:
    if isinstance(value, np.ndarray):  # a row of an array that holds all of them
        return value
    if not isinstance(value, ArrayRecord):
        raise InputError(
            f"is a {type(value).__name__} in place of an array", file=path, record=record
        )
    try:
        return value.array()
    except (TypeError, ValueError) as error:
        raise InputError(
            f"cannot be read: {error}", file=path, record=record, remedy=REMEDY
        ) from None

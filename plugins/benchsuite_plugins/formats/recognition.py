"""What formats look like, by names and first bytes: one function a format.

A path is to look like one format alone, so what several might claim is settled here. A folder is
looked at by every one of them: none imports what it takes to read or write the format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from benchsuite.columns.table_file import is_table_file
from benchsuite_plugins.datasets.panoptic_files import is_panoptic, map_folder
from benchsuite_plugins.formats.label_files import first_line, label_files

DOTA_LABELS = "labelTxt"
DOTA_HEADER = r"(?i:imagesource|gsd):"
DOTA_DETECTIONS = r"Task1_(?P<name>.+)\.txt"
VOC_ANNOTATIONS = "Annotations"
VOC_DETECTIONS = r"comp[0-9]+_det_.+_.+\.txt"
PARQUET_TRUTH = ("images.parquet", "annotations.parquet")
"""The two files that truth needs."""

_CITYSCAPES_RESULT = r"[^_]+_\d{6}_\d{6}.*\.(txt|png)"
_DETECTIONS_BY_CATEGORY = r"(comp[0-9]+_det|Task[0-9]+)_.*"

_FEW, _MANY = 20, 200
"""Names that are looked at, of a folder whose content is not known."""

_BEGINNING = 1000


def coco(path: Path) -> bool:
    """Whether a file begins as a JSON object or array does, and is no panoptic file."""
    if not path.is_file() or coco_panoptic(path):
        return False
    return _begins(path).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def parquet(path: Path) -> bool:
    """Whether a folder has the two files that truth needs, or a file begins as tables do."""
    if path.is_dir():
        return all((path / name).is_file() for name in PARQUET_TRUTH)
    return is_table_file(path)


def coco_panoptic(path: Path) -> bool:
    """Whether a JSON file lists segments of maps that are in a folder called as it is."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return False
    # Looking for the folder is cheap; looking through a large file of detections is not.
    return map_folder(path) is not None and is_panoptic(path)


def panoptic_two_channel(path: Path) -> bool:
    """Whether a folder holds PNG maps in colour whose third channel is empty, and nothing else."""
    if not path.is_dir():
        return False
    files = list(islice(path.iterdir(), _FEW))
    if not _are_maps(files):
        return False
    from benchsuite_kernels.columns.label_maps import MapError, decode

    try:
        return int(decode(min(files), "colour").max()) < 1 << 16
    except MapError:
        return False


def label_maps(path: Path) -> bool:
    """Whether a folder holds grey or indexed PNG files, or folders of them, and nothing else.

    What is named as results on Cityscapes are is that format's, which finds files by such names.
    """
    if not path.is_dir() or cityscapes(path):
        return False
    files = [each for each in islice(path.rglob("*"), _FEW) if not each.is_dir()]
    if not _are_maps(files):
        return False
    from benchsuite_kernels.columns.label_maps import MapError, decode

    try:
        return bool(decode(min(files), "grey").size > 0)
    except MapError:
        return False


def voc(path: Path) -> bool:
    """Whether a folder holds XML files that begin as VOC's do, or files named as its detections."""
    if not path.is_dir():
        return False
    annotations = path / VOC_ANNOTATIONS if (path / VOC_ANNOTATIONS).is_dir() else path
    first = next(annotations.glob("*.xml"), None)
    if first is not None and b"<annotation" in _begins(first):
        return True
    return any(re.fullmatch(VOC_DETECTIONS, file.name) for file in path.glob("comp*_det_*.txt"))


def yolo(path: Path) -> bool:
    """Whether it is a ``data.yaml`` that names classes, a folder of one, or one of label files.

    Label files may all be empty: then nothing was found.
    """
    if path.is_file():
        return b"names" in path.read_bytes()[:100_000]
    if any((path / name).is_file() for name in ("data.yaml", "data.yml")):
        return True
    if any(yolo(file) for file in [*path.glob("*.yaml"), *path.glob("*.yml")]):
        return True
    labels = label_files(path / "labels" if (path / "labels").is_dir() else path)
    line = first_line(labels)
    if line is None:
        return any(not re.fullmatch(_DETECTIONS_BY_CATEGORY, file.name) for file in labels)
    fields = line.split()
    return len(fields) >= 5 and fields[0].isdigit() and all(map(_is_normalised, fields[1:]))


def dota(path: Path) -> bool:
    """Whether a folder holds ``labelTxt``, label files of quadrilaterals, or files of Task 1."""
    if not path.is_dir():
        return False
    if (path / DOTA_LABELS).is_dir():
        return True
    if any(re.fullmatch(DOTA_DETECTIONS, file.name) for file in path.glob("Task1_*")):
        return True
    found = first_line(label_files(path, below=False))
    if found is None:
        return False
    line = found.decode("utf-8", "replace")
    fields = line.split()
    return re.match(DOTA_HEADER, line) is not None or (
        len(fields) in (9, 10) and all(map(_is_number, fields[:8])) and not _is_number(fields[8])
    )


def cityscapes(path: Path) -> bool:
    """Whether a folder holds ``gtFine``, or files that are named as results on frames are."""
    if not path.is_dir():
        return False
    if (path / "gtFine").is_dir():
        return True
    names = (each.name for each in islice(path.rglob("*_*_*"), _MANY))
    return any(re.fullmatch(_CITYSCAPES_RESULT, name) for name in names)


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_BEGINNING)


def _are_maps(files: Sequence[Path]) -> bool:
    return bool(files) and all(file.suffix.lower() == ".png" for file in files)


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_normalised(text: bytes) -> bool:
    return _is_number(text) and -1 <= float(text) <= 2

"""COCO's panoptic files as they lie on disk: a JSON file of segments, a folder of maps."""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path


def is_panoptic(file: Path) -> bool:
    """Whether an annotation file speaks of segments of maps; cheap, without parsing it.

    Its first annotation decides, if that has a box.
    """
    if not file.is_file() or not file.stat().st_size:
        return False
    with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
        first = max(content.find(b'"annotations"'), 0)
        box = content.find(b'"bbox"', first)
        return content.find(b'"segments_info"', first, len(content) if box < 0 else box) >= 0


def map_folder(file: Path) -> Path | None:
    """Where the maps of a panoptic file are; ``None`` where there is no such folder."""
    candidates = (file.parent / file.stem, file.parent.parent / file.stem)
    return next((folder for folder in candidates if folder.is_dir()), None)

"""Whether a path holds Pascal VOC: annotations or detections."""

from __future__ import annotations

from pathlib import Path

from benchsuite_plugins.formats.voc_detections import holds_detections
from benchsuite_plugins.formats.voc_folder import holds_annotations


def recognises(path: Path) -> bool:
    """Whether a folder holds XML files that begin as VOC's do, or files named as its detections."""
    return path.is_dir() and (holds_annotations(path) or holds_detections(path))

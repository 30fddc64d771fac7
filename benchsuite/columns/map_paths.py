"""Where the maps of a panoptic file's annotations are."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from benchsuite.columns.record_list import RecordList


def map_paths(annotations: RecordList, folder: Path) -> list[str]:
    """The map of each annotation: its ``file_name``, of which no folders count, in ``folder``.

    Raises:
        InputError: an annotation has no such name, or one that no file can have.
    """
    paths = []
    for row, text in enumerate(annotations.texts("file_name")):
        name = PurePosixPath(text.replace("\\", "/")).name
        if name in ("", "..") or not name.isprintable():
            raise annotations.names.error(
                row, f"the field 'file_name' is {text!r}, which no file can be called"
            )
        paths.append(str(folder / name))
    return paths

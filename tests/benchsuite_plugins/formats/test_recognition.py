"""Formats told apart by names and first bytes, at no cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite_plugins.datasets.panoptic_files import is_panoptic

BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}
SEGMENTS = {"image_id": 1, "segments_info": [BOX], "file_name": "1.png"}
WITHOUT_BOX = {"id": 1, "image_id": 1, "category_id": 1}


@pytest.mark.parametrize(
    ("content", "panoptic"),
    [
        ({"images": [], "annotations": [BOX, {**BOX, "note": "segments_info"}]}, False),
        ({"annotations": [BOX], "images": []}, False),
        ({"annotations": [WITHOUT_BOX]}, False),
        ({"images": [], "annotations": []}, False),
        ({"images": [], "annotations": [SEGMENTS]}, True),
        ({"annotations": [SEGMENTS, SEGMENTS], "images": []}, True),
        ({"images": [{"note": "bbox"}], "annotations": [{**SEGMENTS, "segments_info": []}]}, True),
    ],
)
def test_files_of_segments(content: object, panoptic: bool, tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(json.dumps(content))
    assert is_panoptic(tmp_path / "truth.json") == panoptic


def test_an_empty_file_is_no_file_of_segments(tmp_path: Path) -> None:
    (tmp_path / "truth.json").touch()
    assert not is_panoptic(tmp_path / "truth.json")
    assert not is_panoptic(tmp_path / "gone.json")


def test_looking_at_a_folder_imports_no_format(tmp_path: Path) -> None:
    for name in ("images", "annotations"):
        (tmp_path / f"{name}.parquet").touch()
    code = (
        "import pathlib, sys\n"
        "from benchsuite.formats import recognise\n"
        "print(recognise(pathlib.Path(sys.argv[1])).name)\n"
        "print(*(name for name in sys.modules if name.startswith('benchsuite_plugins.formats.')))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    name, modules = done.stdout.splitlines()
    assert name == "parquet"
    imported = {each.rpartition(".")[2] for each in modules.split()}
    assert imported == {"specs", "recognition", "label_files"}

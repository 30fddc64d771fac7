"""Each format is told from every other by what a path holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import UsageError
from benchsuite.formats import recognise

FILES = {
    "coco": {"annotations.json": '{"images": []}'},
    "voc": {"Annotations/000001.xml": "<annotation></annotation>"},
    "yolo": {"labels/000001.txt": "0 0.5 0.5 0.1 0.1\n", "labels/classes.txt": "3\n"},
    "dota": {"labelTxt/P0001.txt": "1 2 3 4 5 6 7 8 plane 0\n"},
}
PREDICTIONS = {
    "coco": {"results.json": " [\n"},
    "voc": {"comp4_det_test_cat.txt": "000001 0.5 10 20 30 40\n"},
    "yolo": {"000001.txt": "0 0.5 0.5 0.1 0.1 0.9\n"},
    "dota": {"Task1_plane.txt": "0001 0.5 1 2 3 4 5 6 7 8\n"},
}


def laid_out(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder / name if name.endswith(".json") else folder


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("side", ["read_truth", "read_predictions"])
def test_one_format_fits(tmp_path, name, side):
    files = FILES if side == "read_truth" else PREDICTIONS
    assert recognise(laid_out(tmp_path, files[name]), side).name == name


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"a.xml": "<?xml version='1.0'?>\n<annotation/>"}, "voc"),
        ({"a.txt": "", "b.txt": "", "c.txt": "0 .1 .1 .2 .1 .2 .2\n"}, "yolo"),
        ({"a.txt": "", "b.txt": "imagesource:GoogleEarth\n"}, "dota"),
        ({"coco8.yaml": "names: [a]\n", "README.md": ""}, "yolo"),
        # A detector that found nothing.
        ({"a.txt": "", "b.txt": ""}, "yolo"),
        ({"Task1_plane.txt": "", "Task1_ship.txt": ""}, "dota"),
        ({"comp4_det_test_cat.txt": "", "comp4_det_test_dog.txt": ""}, "voc"),
    ],
)
def test_less_usual_folders(tmp_path, files, name):
    assert recognise(laid_out(tmp_path, files), "read_predictions").name == name


@pytest.mark.parametrize(
    "files", [{"notes.txt": "nothing of the kind\n"}, {"a.jpg": ""}, {"a.xml": "<other/>"}]
)
def test_what_is_no_format(tmp_path, files):
    with pytest.raises(UsageError, match=r"none of the known formats: .*coco"):
        recognise(laid_out(tmp_path, files))

"""The part of YAML that ``data.yaml`` files are written in."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import InputError
from benchsuite_plugins.formats.yolo_data_file import find_data_file, read_data_file

ULTRALYTICS = """# COCO8 dataset
path: coco8 # dataset root dir
train: images/train # train images (relative to 'path') 4 images
val: images/val
test: # test images (optional)

# Classes
names:
  0: person
  1: "traffic: light"
  2: 'driver''s cab' # the cab

download: |
  from ultralytics.utils import download
  names: not this
  x = [1,
    2]
"""


@pytest.fixture
def data(tmp_path: Path):
    def read(text: str):
        (tmp_path / "data.yaml").write_text(text)
        return read_data_file(tmp_path / "data.yaml")

    return read


def test_a_file_as_ultralytics_writes_it(data):
    read = data(ULTRALYTICS)
    assert read.base == "coco8"
    assert read.splits == {"train": ["images/train"], "val": ["images/val"]}
    assert read.names == ("person", "traffic: light", "driver's cab")
    assert not read.has_keypoints


@pytest.mark.parametrize(
    "names",
    [
        "names: [a, 'b, c', \"d\"]",
        "names: ['a',\n  'b, c',\n  d]",
        "names:\n- a\n- b, c\n- d",
        "names:\n  - a\n  - 'b, c'\n  - d",
        "names: {0: a, 1: 'b, c', 2: d}",
        "names:\n  2: d\n  0: a\n  1: b, c",
        "names: [\n'a', 'b, c', 'd'\n]",
        "nc: 3\nnames: ['a', 'b, c', 'd',]",
    ],
)
def test_ways_to_write_names(data, names):
    assert data(f"train: x\n{names}\n").names == ("a", "b, c", "d")


def test_several_folders(data):
    read = data("train: [a, b]\nval:\n  - c\nkpt_shape: [17, 3]\n")
    assert read.splits == {"train": ["a", "b"], "val": ["c"]}
    assert read.has_keypoints
    assert read.names == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("names:\n  0: a\n  2: b", "line 1: the classes are not numbered from 0 to 1, each once"),
        ("names:\n  0: a\n  0: b", "line 1: the classes are not numbered"),
        ("nc: 3\nnames: [a, b]", "line 1: nc is 3, but 2 classes have names"),
        ("names:\n", "line 1: names no class"),
        ("names: [a, b\n", r"line 1: '\[' is not closed by '\]'"),
        ("names: &x [a]", r"line 1: '&x \[a\]' is no plain text"),
        ("names:\n  zero\n", "line 2: 'zero' is no '- item' and no 'key: value'"),
        ("names: {0: a, b}", "line 1: 'b' is no 'key: value'"),
        ("  names: [a]", "line 1: '  names: .*' belongs to no key"),
        ("just text", "line 1: 'just text' is no 'key: value'"),
        ("val: a\nval: b", "line 2: the key val is there twice"),
        ("val: {a: b}", "line 1: val is no folder and no list of them"),
        ("names: ['a]", "line 1: .* is not quoted as a text"),
        ('names: ["a]', "line 1: .* is not quoted as a text"),
    ],
)
def test_what_is_malformed_is_named(data, text, problem):
    with pytest.raises(InputError, match=rf"data\.yaml, {problem}"):
        data(text)


def test_which_file_is_meant(tmp_path):
    assert find_data_file(tmp_path) is None
    (tmp_path / "coco8.yaml").write_text("")
    assert find_data_file(tmp_path) == tmp_path / "coco8.yaml"
    (tmp_path / "other.yml").write_text("")
    with pytest.raises(InputError, match=r"holds coco8\.yaml and other\.yml"):
        find_data_file(tmp_path)
    (tmp_path / "data.yaml").write_text("")
    assert find_data_file(tmp_path) == tmp_path / "data.yaml"

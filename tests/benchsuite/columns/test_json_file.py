from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchsuite.columns.json_file import JsonFile
from benchsuite.errors import DataMissingError, InputError


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file.json"
    path.write_bytes(data)
    return path


def test_content_and_hash(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf{"images": [1, 2.5]}'
    file = JsonFile.read(written(tmp_path, data), what="file")
    assert file.list_field("images") == [1, 2.5]
    assert file.sha256 == hashlib.sha256(data).hexdigest()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"annotation file .*nothing\.json is not there"):
        JsonFile.read(tmp_path / "nothing.json", what="annotation file")


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the annotation file cannot be read"):
        JsonFile.read(tmp_path, what="annotation file")


@pytest.mark.parametrize(
    "data", [b"", b"[1,\n 2", b'{"images": [{"id": 1}', b'{"images"', b'{"a": "unfinish']
)
def test_truncated(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match=r"ends at line \d+ column \d+ .*truncated"):
        JsonFile.read(written(tmp_path, data), what="file")


@pytest.mark.parametrize(
    "data", [b'{"a": 1}\n{"a": 2}', b"hello", b'{"a": 1,\n "b": x}', b"{1: 2}"]
)
def test_not_json(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match=r"file.json: not JSON: .* at line \d+ column \d+"):
        JsonFile.read(written(tmp_path, data), what="file")


@pytest.mark.parametrize("data", [b"\x89PNG\xff\xff", b'{"a": "\xff"}'])
def test_not_text(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match="not JSON: byte"):
        JsonFile.read(written(tmp_path, data), what="file")


def test_nested_too_deeply(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        JsonFile.read(written(tmp_path, b"[" * 10**6), what="file")


def test_number_of_too_many_digits(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not readable as JSON"):
        JsonFile.read(written(tmp_path, b"[" + b"1" * 10**4 + b"]"), what="file")


def test_another_type(tmp_path: Path) -> None:
    file = JsonFile.read(written(tmp_path, b'[{"id": 1}]'), what="file")
    with pytest.raises(InputError, match="holds a JSON array where an object is expected"):
        file.list_field("images")


def test_missing_and_mistyped_field(tmp_path: Path) -> None:
    file = JsonFile.read(written(tmp_path, b'{"images": {"id": 1}}'), what="file")
    with pytest.raises(InputError, match="the field 'annotations' is missing"):
        file.list_field("annotations")
    with pytest.raises(InputError, match="the field 'images' is a JSON object, not an array"):
        file.list_field("images")

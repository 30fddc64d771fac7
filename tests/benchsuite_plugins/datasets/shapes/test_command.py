"""``python -m benchsuite_plugins.datasets.shapes``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchsuite_plugins.datasets.shapes.__main__ import main
from benchsuite_plugins.datasets.shapes.cache import find_damage

FEW = ["--split", "val", "--count", "2", "--size", "64"]


def test_hashes_written_and_not_written_are_equal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FEW, "--hashes"]) == 0
    dry = capsys.readouterr().out
    assert main([str(tmp_path / "out"), *FEW, "--hashes"]) == 0
    assert capsys.readouterr().out == dry
    names = [line.split()[:2] for line in dry.splitlines()]
    assert names == [["val", "pixels"], ["val", "annotations"], ["val", "maps"]]
    assert find_damage(tmp_path / "out" / "val") is None
    manifest = json.loads((tmp_path / "out" / "val" / "manifest.json").read_bytes())
    assert [line.split()[2] for line in dry.splitlines()] == list(manifest["hashes"].values())


def test_what_is_there_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "val").mkdir()
    assert main([str(tmp_path), *FEW]) == 1
    assert "is there already" in capsys.readouterr().err
    assert list((tmp_path / "val").iterdir()) == []


def test_bad_options_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hashes", "--count", "0"]) == 2
    assert "count=0" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([])

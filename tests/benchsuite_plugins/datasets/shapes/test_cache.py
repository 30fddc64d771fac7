from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchsuite.errors import BenchsuiteError
from benchsuite_plugins.datasets.shapes.cache import cached_split, find_damage, split_folder
from benchsuite_plugins.datasets.shapes.options import ShapesOptions
from benchsuite_plugins.datasets.shapes.split import write_split

FEW = ShapesOptions(count=3, size=64)


def never(folder: Path) -> None:
    raise AssertionError(f"{folder} was written again")


def beside(folder: Path) -> list[str]:
    return [path.name for path in folder.parent.iterdir()]


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_it_is_written_once(tmp_path: Path) -> None:
    folder = cached_split(tmp_path, FEW, "val")
    assert folder == split_folder(tmp_path, FEW, "val") and folder.is_relative_to(tmp_path)
    assert cached_split(tmp_path, FEW, "val", never) == folder
    assert beside(folder) == ["val"]


def test_only_the_split_that_is_asked_for_is_written(tmp_path: Path) -> None:
    val = cached_split(tmp_path, FEW, "val")
    assert not (val.parent / "train").exists()
    assert cached_split(tmp_path, FEW, "train").parent == val.parent


def test_other_options_lie_elsewhere(tmp_path: Path) -> None:
    options = [FEW, ShapesOptions(count=4, size=64), ShapesOptions(3, 65), ShapesOptions(3, 64, 1)]
    assert len({split_folder(tmp_path, each, "val") for each in options}) == 4


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _swap_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("manifest.json", Path.unlink),
        ("manifest.json", _truncate),
        ("instances.json", _swap_a_byte),
        ("panoptic.json", Path.unlink),
        ("images/000000000022.png", Path.unlink),
        ("images/000000000022.png", _truncate),
        ("panoptic/000000000032.png", Path.unlink),
    ],
)
def test_a_damaged_one_is_drawn_again_with_a_notice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, harm: Callable[[Path], None]
) -> None:
    folder = cached_split(tmp_path, FEW, "val")
    before = content(folder)
    harm(folder / name)
    assert find_damage(folder) is not None
    with caplog.at_level(logging.WARNING):
        assert cached_split(tmp_path, FEW, "val") == folder
    assert content(folder) == before
    assert [str(folder) in record.getMessage() for record in caplog.records] == [True]
    assert "drawn again" in caplog.text and Path(name).name in caplog.text
    assert beside(folder) == ["val"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        write_split(folder, FEW, "val", lambda _: None)
        (folder / "manifest.json").unlink()
        raise OSError(28, "No space left on device")

    with pytest.raises(BenchsuiteError, match=r"No space left on device.*BENCHSUITE_CACHE"):
        cached_split(tmp_path, FEW, "val", fail)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert find_damage(cached_split(tmp_path, FEW, "val")) is None


def test_a_cache_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "shapes").write_text("in the way")
    with pytest.raises(BenchsuiteError, match=r"cannot be written to .*shapes"):
        cached_split(tmp_path, FEW, "val")


def test_a_writer_that_writes_rubbish_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(BenchsuiteError, match=r"manifest\.json is missing.*5 times"):
        cached_split(tmp_path, FEW, "val", lambda folder: None)


RACER = """
import sys, time
from pathlib import Path
from benchsuite_plugins.datasets.shapes.cache import cached_split
from benchsuite_plugins.datasets.shapes.options import ShapesOptions
from benchsuite_plugins.datasets.shapes.split import write_split

cache, mine, theirs = map(Path, sys.argv[1:])
options = ShapesOptions(count=3, size=64)

def write(folder):
    # Neither begins to write before the other is about to.
    mine.touch()
    deadline = time.monotonic() + 60
    while not theirs.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    write_split(folder, options, "val", lambda _: None)

print(cached_split(cache, options, "val", write))
"""


@pytest.mark.parametrize("damaged", [False, True])
def test_two_processes_at_once_both_succeed(tmp_path: Path, damaged: bool) -> None:
    folder = split_folder(tmp_path, FEW, "val")
    if damaged:
        _truncate(cached_split(tmp_path, FEW, "val") / "instances.json")
    flags = [tmp_path / "first", tmp_path / "second"]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), str(mine), str(theirs)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for mine, theirs in (flags, reversed(flags))
    ]
    got = [racer.communicate(timeout=120)[0].strip() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert got == [str(folder)] * 2
    assert find_damage(folder) is None
    assert beside(folder) == ["val"]

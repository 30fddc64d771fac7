from __future__ import annotations

import sys

import pytest

from benchsuite.downloads import byte_progress as module
from benchsuite.downloads.byte_progress import byte_progress
from benchsuite.files.disk_space import readable_size


def test_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(module, "monotonic", lambda: float(next(clock)))
    with byte_progress("val2017.zip") as report:
        for done in range(0, 70_000_000, 10_000_000):
            report(done, 60_000_000)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "val2017.zip 0 B of 60.0 MB",
        "val2017.zip 30.0 MB of 60.0 MB  2.5 MB/s  ETA 0:12",
        "val2017.zip 60.0 MB of 60.0 MB  2.5 MB/s",
    ]


def test_small_work_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with byte_progress("instances.json") as report:
        report(0, 2000)
        report(2000, 2000)
    assert capsys.readouterr().err.startswith("instances.json 2.0 kB of 2.0 kB")


def test_the_speed_leaves_out_what_was_there_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0])
    monkeypatch.setattr(module, "monotonic", lambda: next(clock))
    with byte_progress("model.pkl") as report:
        report(100_000_000, None)
        report(110_000_000, None)
    assert capsys.readouterr().err.splitlines()[-1] == "model.pkl 110 MB  1.0 MB/s"


def test_work_that_was_done_before_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with byte_progress("val2017.zip"):
        pass
    assert capsys.readouterr() == ("", "")


def test_a_bar_where_there_is_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    with byte_progress("val2017.zip") as report:
        report(0, 6_000_000)
        report(6_000_000, 6_000_000)
    out, err = capsys.readouterr()
    assert out == ""
    assert "val2017.zip" in err and "6.0/6.0 MB" in err


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_940, "99.9 kB"),
        (815_585_330, "816 MB"),
        (999_600_000, "1.0 GB"),
        (19_336_861_798, "19.3 GB"),
    ],
)
def test_readable_size(count: int, text: str) -> None:
    assert readable_size(count) == text

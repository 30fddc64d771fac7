"""What is shown of a training."""

from __future__ import annotations

import io

import pytest

from benchsuite.training import display
from benchsuite.training.display import RecentSteps, duration, no_display, training_display


def row(step, loss=1.0):
    return {
        "step": step,
        "loss": loss,
        "loss/loss_cls": loss / 4,
        "loss/loss_box_reg": 3 * loss / 4,
        "lr": 0.01,
        "seconds": 0.5,
        "wait_seconds": 0.05,
        "images": 4,
        "memory_mib": 2048.0,
    }


def test_means_of_the_last_steps():
    recent = RecentSteps(iterations=100)
    for step in range(1, 41):
        recent.add(row(step, loss=float(step)))
    assert recent.mean("loss") == pytest.approx(30.5)
    assert recent.step == 40
    assert recent.seconds_left == pytest.approx(30)
    assert recent.summary() == (
        "loss 30.5 (cls 7.62, box_reg 22.9)  lr 0.01  8.0 img/s  waiting for data 10 %  2.0 GiB"
    )


def test_nothing_was_done():
    recent = RecentSteps(iterations=100)
    assert recent.mean("loss") == 0
    assert recent.names("loss") == []


def test_lines_where_there_is_no_terminal(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(display, "monotonic", lambda: now[0])
    with training_display(30, 0, log_every=5) as shown:
        for step in range(1, 31):
            now[0] += 2.5
            shown.show(row(step))
    lines = capsys.readouterr().err.splitlines()
    # Every ten seconds is every fourth step; a line is due at each fifth.
    assert [line.split()[1] for line in lines] == [f"{n}/30" for n in (5, 10, 15, 20, 25, 30)]
    assert lines[0].endswith("ETA 0:12")
    assert "ETA" not in lines[-1]


def test_a_bar_where_there_is_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(display.sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with training_display(30, 4) as shown:
        shown.show(row(5))
        shown.pause()
        shown.show(row(6))
    assert "6/30" in terminal.getvalue()
    assert "waiting for data 10 %" in terminal.getvalue()


def test_processes_that_are_not_the_first_show_nothing(capsys):
    with no_display() as shown:
        shown.show(row(1))
        shown.pause()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (61.9, "1:01"), (3599, "59:59"), (3661, "1:01:01")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text

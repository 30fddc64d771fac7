"""Which signals end a training at once."""

from __future__ import annotations

import os
import signal

import pytest

from benchsuite.training.failures import interrupt
from benchsuite.training.failures.interrupt import InterruptNotice


@pytest.fixture
def now(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(interrupt, "monotonic", lambda: clock[0])
    return clock


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_noticed(now, number):
    before = signal.getsignal(number)
    with InterruptNotice() as notice:
        assert not notice.given
        send(number)
        assert notice.given
    assert signal.getsignal(number) is before


def test_another_ends_it(now):
    with InterruptNotice() as notice:
        send(signal.SIGINT)
        now[0] += 5
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        assert notice.given


def test_what_comes_with_the_first_is_the_same(now):
    with InterruptNotice() as notice:
        send(signal.SIGINT)
        now[0] += 0.1
        send(signal.SIGTERM)
        assert notice.given


def test_long_work_is_left_at_once(now):
    with InterruptNotice() as notice:
        with pytest.raises(KeyboardInterrupt), notice.at_once():
            send(signal.SIGINT)
        assert notice.given
        # Its double comes while what was done is being kept.
        send(signal.SIGINT)

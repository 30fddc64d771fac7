"""What is measured: sides that do the same work, ours and its peers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

OURS = "ours"
LEAST_SECONDS = 0.005  # what one sample takes; shorter calls are repeated


@dataclass(frozen=True)
class Sample:
    """One measurement of a side.

    Attributes:
        seconds: a call.
        more: anything else that was measured, by name; a row has the medians of both sides as
            ``ours_NAME`` and ``peer_NAME``.
    """

    seconds: float
    more: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Side:
    """One of those who do the work.

    Attributes:
        call: does it once; what pytest-benchmark times.
        sample: does and times it; what the script takes.
    """

    call: Callable[[], Any]
    sample: Callable[[], Sample]


Open = Callable[[int], AbstractContextManager[Mapping[str, Side]]]
"""Number of threads to the sides by name, checked against each other and warm: ``OURS`` first."""


@dataclass(frozen=True)
class Case:
    """Two ways to the same result in this process.

    Attributes:
        peer: whose the other way is.
        ours, theirs: calls; inputs are drawn beforehand, outputs allocated by the call.
        check: given both results, raises where they do not agree as they should.
    """

    peer: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    check: Callable[[Any, Any], None]


def in_process(make: Callable[[], Case], least_seconds: float = LEAST_SECONDS) -> Open:
    """A case in this process, made when it is first opened and checked whenever it is.

    A sample is as many calls as take ``least_seconds``, and has the processor's time as ``cpu_s``.
    """
    made = cache(make)

    @contextmanager
    def opened(threads: int) -> Iterator[Mapping[str, Side]]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            case = made()
            case.check(case.ours(), case.theirs())
            yield {
                OURS: side_of(case.ours, least_seconds),
                case.peer: side_of(case.theirs, least_seconds),
            }
        finally:
            torch.set_num_threads(before)

    return opened


def side_of(call: Callable[[], Any], least_seconds: float = 0) -> Side:
    """A side in this process; it is called once, to warm up."""
    repeats = max(1, int(least_seconds / max(_timed(call, 1).seconds, 1e-9)))
    return Side(call, lambda: _timed(call, repeats))


def _timed(call: Callable[[], Any], repeats: int) -> Sample:
    start, busy = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        call()
    spent, computed = time.perf_counter() - start, time.process_time() - busy
    return Sample(spent / repeats, {"cpu_s": computed / repeats})

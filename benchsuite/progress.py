"""Progress of long work, on stderr: a bar where there is a terminal, a line now and then where
there is none. Standard output is left to results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Protocol

PLAIN_INTERVAL_S = 10.0


class Progress(Protocol):
    """Counts finished work."""

    def advance(self, count: int) -> None: ...


ShowsProgress = Callable[[str, int], AbstractContextManager[Progress]]
"""What shows progress: called with a title and the number of items."""


@contextmanager
def progress(title: str, total: int, *, done: int = 0, unit: str = "img") -> Iterator[Progress]:
    """Show progress over ``total`` items, ``done`` of which were finished before."""
    if sys.stderr.isatty():
        with _bar(title, total, done, unit) as bar:
            yield bar
    else:
        lines = _Lines(title, total, done, unit)
        yield lines
        lines.close()


@contextmanager
def _bar(title: str, total: int, done: int, unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.1f} {unit}/s" if speed else f"– {unit}/s")

    with RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(""),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as shown:
        task = shown.add_task(title, total=total, completed=done)

        class Bar:
            def advance(self, count: int) -> None:
                shown.advance(task, count)

        yield Bar()


@contextmanager
def no_progress(title: str, total: int) -> Iterator[Progress]:
    """Show nothing."""
    yield _Silence()


class _Silence:
    def advance(self, count: int) -> None:
        pass


class _Lines:
    """Progress for logs: a line at the start, then at most every ten seconds, and at the end."""

    def __init__(self, title: str, total: int, done: int, unit: str) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.before, self.done = done, done
        self.shown = -1
        self.start = self.last = monotonic()

    def advance(self, count: int) -> None:
        self.done += count
        if monotonic() - self.last >= PLAIN_INTERVAL_S:
            self.last = monotonic()
            self._print()

    def close(self) -> None:
        if self.shown != self.done:
            self._print()

    def _print(self) -> None:
        self.shown = self.done
        elapsed = monotonic() - self.start
        rate = (self.done - self.before) / elapsed if elapsed > 0 else 0.0
        left = (self.total - self.done) / rate if rate else 0.0
        eta = f"  ETA {int(left // 60)}:{int(left % 60):02d}" if self.done < self.total else ""
        print(
            f"{self.title} {self.done}/{self.total}  {rate:.1f} {self.unit}/s{eta}",
            file=sys.stderr,
            flush=True,
        )

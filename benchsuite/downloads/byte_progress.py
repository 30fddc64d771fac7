"""Progress of bytes on their way, on stderr: a bar where there is a terminal, a line now and then
where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from benchsuite.files.disk_space import readable_size

PLAIN_INTERVAL_S = 10.0

SMALL = 10_000_000
"""Work of fewer bytes is told when it is finished, and not when it begins."""

Report = Callable[[int, int | None], None]
"""Takes the bytes that are done and the bytes of the whole, where that is known."""


@contextmanager
def byte_progress(title: str) -> Iterator[Report]:
    """Show how far something is, until the block ends.

    Nothing is shown before the first report, so that work which finds nothing to do says nothing.
    """
    if sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        lines = _Lines(title)
        yield lines.report
        lines.close()


@contextmanager
def _bar(title: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as shown:
        task: TaskID | None = None

        def report(done: int, total: int | None) -> None:
            nonlocal task
            if task is None:
                # What was there before this call is no speed of ours.
                task = shown.add_task(title, total=total, completed=done)
            else:
                shown.update(task, completed=done, total=total)

        yield report


class _Lines:
    """A line when large work begins, then at most every ten seconds, and at the end."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = False
        self._since, self._last = 0.0, 0.0
        self._before, self._done, self._printed = 0, 0, 0
        self._total: int | None = None

    def report(self, done: int, total: int | None) -> None:
        now = monotonic()
        self._done, self._total = done, total
        if not self._started:
            self._started = True
            self._since = self._last = now
            self._before = done
            if total is not None and total < SMALL:
                return
        elif now - self._last < PLAIN_INTERVAL_S:
            return
        self._print(now)

    def close(self) -> None:
        if self._started and self._done != self._printed:
            self._print(monotonic())

    def _print(self, now: float) -> None:
        self._last, self._printed = now, self._done
        elapsed = now - self._since
        speed = (self._done - self._before) / elapsed if elapsed > 0 else 0.0
        text = f"{self._title} {readable_size(self._done)}"
        if self._total is not None:
            text += f" of {readable_size(self._total)}"
        if speed:
            text += f"  {readable_size(speed)}/s"
        if speed and self._total is not None and self._done < self._total:
            seconds = int((self._total - self._done) / speed)
            text += f"  ETA {seconds // 60}:{seconds % 60:02d}"
        print(text, file=sys.stderr, flush=True)

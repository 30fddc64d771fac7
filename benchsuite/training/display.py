"""Progress of a training on stderr: a bar with the last steps' numbers where there is a terminal,
a line now and then where there is none."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

PLAIN_INTERVAL_S = 10.0
WINDOW = 20
"""Steps whose mean is shown."""


@dataclass(slots=True)
class RecentSteps:
    """The last steps' numbers, and what can be said of those to come.

    Attributes:
        iterations: how many steps there will be.
        rows: of the last steps, as the log has them.
    """

    iterations: int
    rows: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def add(self, row: Mapping[str, float]) -> None:
        """A step, as the log has it."""
        self.rows.append(row)

    def mean(self, name: str) -> float:
        values = [row[name] for row in self.rows if name in row]
        return sum(values) / len(values) if values else 0.0

    def names(self, start: str) -> list[str]:
        """Those of the last step's numbers that start so."""
        return [name for name in self.rows[-1] if name.startswith(start)] if self.rows else []

    @property
    def step(self) -> int:
        return int(self.rows[-1]["step"])

    @property
    def seconds_left(self) -> float:
        return self.mean("seconds") * (self.iterations - self.step)

    def summary(self) -> str:
        """Losses, learning rate, images a second, share of time that data was waited for,
        memory."""
        seconds = self.mean("seconds") or 1.0
        terms = self.names("loss/")
        parts = ", ".join(f"{_short(name)} {self.mean(name):.3g}" for name in terms)
        shown = [
            f"loss {self.mean('loss'):.4g}" + (f" ({parts})" if len(terms) > 1 else ""),
            f"lr {self.rows[-1]['lr']:.3g}",
            f"{self.mean('images') / seconds:.1f} img/s",
            f"waiting for data {100 * self.mean('wait_seconds') / seconds:.0f} %",
            f"{self.rows[-1]['memory_mib'] / 1024:.1f} GiB",
        ]
        return "  ".join(shown)


class Display(Protocol):
    """Shows steps as they are done."""

    def show(self, row: Mapping[str, float]) -> None: ...
    def pause(self) -> None:
        """Leave the screen to somebody else until the next step."""


@contextmanager
def training_display(iterations: int, done: int, *, log_every: int = 1) -> Iterator[Display]:
    """Show a training of ``iterations`` steps, ``done`` of which were taken before.

    Args:
        log_every: where there is no terminal, only every so many steps is a line due.
    """
    if sys.stderr.isatty():
        with _bar(iterations, done) as bar:
            yield bar
    else:
        yield _Lines(iterations, log_every)


@contextmanager
def no_display() -> Iterator[Display]:
    """Show nothing: for processes that are not the first."""
    yield _Silence()


def duration(seconds: float) -> str:
    """``"1:02:03"`` or ``"2:03"``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _short(name: str) -> str:
    return name.removeprefix("loss/").removeprefix("loss_")


class _Lines:
    def __init__(self, iterations: int, log_every: int) -> None:
        self._recent, self._log_every = RecentSteps(iterations), log_every
        self._last = monotonic()

    def show(self, row: Mapping[str, float]) -> None:
        recent = self._recent
        recent.add(row)
        late = monotonic() - self._last >= PLAIN_INTERVAL_S
        if (late and recent.step % self._log_every == 0) or recent.step == recent.iterations:
            self._last = monotonic()
            eta = f"  ETA {duration(recent.seconds_left)}" if recent.seconds_left else ""
            line = f"training {recent.step}/{recent.iterations}  {recent.summary()}{eta}"
            print(line, file=sys.stderr, flush=True)

    def pause(self) -> None:
        pass


class _Silence:
    def show(self, row: Mapping[str, float]) -> None:
        pass

    def pause(self) -> None:
        pass


@contextmanager
def _bar(iterations: int, done: int) -> Iterator[Display]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    recent = RecentSteps(iterations)
    bar = Progress(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("ETA {task.fields[eta]}"),
        auto_refresh=False,
    )
    task = bar.add_task("training", total=iterations, completed=done, eta="–")
    numbers = Text("")
    live = Live(Group(bar, numbers), console=Console(stderr=True), refresh_per_second=4)

    class Bar:
        def show(self, row: Mapping[str, float]) -> None:
            recent.add(row)
            bar.update(task, completed=recent.step, eta=duration(recent.seconds_left))
            numbers.plain = recent.summary()
            if not live.is_started:
                live.start()

        def pause(self) -> None:
            live.stop()

    try:
        yield Bar()
    finally:
        live.stop()

"""Sections one after another, each within its time and whatever happens to the others."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpu_sections.devices import Device
from gpu_sections.report import Outcome, Table

Run = Callable[["Context"], Iterator[Table | str]]
"""A section: yields its tables, empty as they are at first, and notes."""


@dataclass(frozen=True)
class Section:
    """A part of the run.

    Attributes:
        seconds: that it may take; a section looks at the clock between its rows.
    """

    name: str
    seconds: float
    run: Run


@dataclass
class Context:
    """What sections share.

    Attributes:
        small: inputs so small that no figure means anything: whether everything runs.
        bandwidth: bytes a second, read and written; of the ceilings, once they are measured.
        until: when the section that runs shall end, on ``time.monotonic``'s clock.
    """

    device: Device
    repository: Path
    small: bool = False
    bandwidth: float | None = None
    until: float = field(default=float("inf"))

    def late(self) -> bool:
        """Whether a section is to leave out what remains."""
        return time.monotonic() >= self.until


def run_sections(
    sections: Sequence[Section],
    context: Context,
    seconds: float,
    show: Callable[[Outcome], None],
) -> list[Outcome]:
    """Run all in order, in so many seconds together; each is shown when it has ended."""
    end = time.monotonic() + seconds
    outcomes = []
    for section in sections:
        if time.monotonic() >= end:
            outcomes.append(Outcome(section.name, "left out", notes=["there was no time left"]))
        else:
            context.until = min(end, time.monotonic() + section.seconds)
            outcomes.append(_run(section, context))
        show(outcomes[-1])
    return outcomes


def _run(section: Section, context: Context) -> Outcome:
    outcome = Outcome(section.name, "done")
    start = time.monotonic()
    try:
        for part in section.run(context):
            if isinstance(part, Table):
                outcome.tables.append(part)
            else:
                outcome.notes.append(part)
    except Exception:  # the other sections shall still run, and the report shows it
        outcome.status, outcome.error = "failed", traceback.format_exc()
    outcome.seconds = time.monotonic() - start
    return outcome

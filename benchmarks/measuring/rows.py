"""The rows that every benchmark writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: of the case.
        ours_s: median, seconds; ``None`` where time is not what was measured.
        peer: what it is compared with; ``None`` where there is nothing.
        peer_s: its median, seconds.
        ratio: ``peer_s / ours_s``, above 1 where ours is faster.
        threads: that both may use.
        spread: the wider of the two interquartile ranges, over its median (of fewer than four
            samples: the whole range); ``None`` of a single sample.
        more: what a benchmark measures beside time, by names of its own.
    """

    name: str
    ours_s: float | None
    peer: str | None
    peer_s: float | None
    ratio: float | None
    threads: int
    spread: float | None
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The seven fields, then those of ``more`` beside them."""
        fields = ("name", "ours_s", "peer", "peer_s", "ratio", "threads", "spread")
        return {**{name: getattr(self, name) for name in fields}, **self.more}


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """A JSON list of rows."""
    text = json.dumps([row.to_json() for row in rows], indent=1)
    file.write_text(text + "\n", encoding="utf-8")

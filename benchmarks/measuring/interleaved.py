"""Sides take turns, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from statistics import median, quantiles

from measuring.rows import Row
from measuring.sides import OURS, Sample, Side


def take_turns(
    sides: Mapping[str, Side], rounds: int, most_seconds: float = inf
) -> dict[str, list[Sample]]:
    """``rounds`` samples of each side, every second round in the opposite order.

    A side whose samples add up to ``most_seconds`` gets no further turn.
    """
    taken: dict[str, list[Sample]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name in sides if turn % 2 else reversed(sides):
            if sum(sample.seconds for sample in taken[name]) < most_seconds:
                taken[name].append(sides[name].sample())
    return taken


def compare(name: str, threads: int, taken: Mapping[str, Sequence[Sample]]) -> list[Row]:
    """A row for each peer; one without a peer, where there is none."""
    ours, peers = taken[OURS], [each for each in taken if each != OURS]
    return [_row(name, threads, ours, peer, taken.get(peer, ())) for peer in peers or [""]]


def _row(
    name: str, threads: int, ours: Sequence[Sample], peer: str, theirs: Sequence[Sample]
) -> Row:
    mine, other = medians(ours), medians(theirs)
    spreads = [found for found in (spread(ours), spread(theirs)) if found is not None]
    return Row(
        name=name,
        ours_s=mine["s"],
        peer=peer or None,
        peer_s=other.get("s"),
        ratio=other["s"] / mine["s"] if theirs else None,
        threads=threads,
        spread=max(spreads, default=None),
        more={
            **{f"ours_{key}": value for key, value in mine.items() if key != "s"},
            **{f"peer_{key}": value for key, value in other.items() if key != "s"},
        },
    )


def medians(samples: Sequence[Sample]) -> dict[str, float]:
    """Of seconds, as ``s``, and of all else that was measured."""
    if not samples:
        return {}
    names = samples[0].more
    return {
        "s": median(sample.seconds for sample in samples),
        **{name: median(sample.more[name] for sample in samples) for name in names},
    }


def spread(samples: Sequence[Sample]) -> float | None:
    """The interquartile range over the median; of two or three samples, the whole range."""
    seconds = [sample.seconds for sample in samples]
    if len(seconds) < 2:
        return None
    if len(seconds) < 4:
        return (max(seconds) - min(seconds)) / median(seconds)
    first, middle, third = quantiles(seconds, n=4)
    return (third - first) / middle

"""Where the names of points go in a scatter plot, so that none covers another or a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CHARACTER_WIDTH = 0.56
"""Of a font size: the mean advance of a sans-serif letter, on the wide side."""


@dataclass(frozen=True, slots=True)
class Label:
    """A placed label: its point's index, and its anchor relative to that point in pixels."""

    point: int
    dx: float
    dy: float
    align: str


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def place_labels(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    *,
    width: float,
    height: float,
    font_size: float,
    radius: float,
    obstacles: Sequence[tuple[float, float, float, float]] = (),
) -> list[Label]:
    """Places labels greedily, first come first served; one that fits nowhere is left out.

    Args:
        points: (x, y) pixels, y downwards.
        texts: a text a point; empty: the point has no label but is still kept clear.
        width, height: of the plot in pixels; labels stay within.
        font_size: pixels.
        radius: of the points' marks in pixels.
        obstacles: (left, top, right, bottom) of what else must stay readable.
    """
    taken = [
        _Box(x - radius - 1, y - radius - 1, x + radius + 1, y + radius + 1) for x, y in points
    ]
    taken += [_Box(*obstacle) for obstacle in obstacles]
    placed = []
    for i, ((x, y), text) in enumerate(zip(points, texts)):
        if not text:
            continue
        wide, tall = CHARACTER_WIDTH * font_size * len(text), font_size * 1.15
        for dx, dy, align in _around(radius, font_size):
            left = {"left": x + dx, "right": x + dx - wide, "center": x + dx - wide / 2}[align]
            box = _Box(left, y + dy - tall / 2, left + wide, y + dy + tall / 2)
            inside = box.left >= 0 and box.right <= width and box.top >= 0 and box.bottom <= height
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                placed.append(Label(i, dx, dy, align))
                break
    return placed


def _around(radius: float, font_size: float) -> list[tuple[float, float, str]]:
    """Offsets to try, best first: above left, where a Pareto front has nothing, then around."""
    near, line = radius + 4, radius + font_size * 0.75
    return [
        (-near * 0.5, -line, "right"),
        (0, -line, "center"),
        (near * 0.5, -line, "left"),
        (near, 0, "left"),
        (near * 0.5, line, "left"),
        (0, line, "center"),
        (-near * 0.5, line, "right"),
        (-near, 0, "right"),
    ]

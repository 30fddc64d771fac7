"""Colours of charts and pages, for light and dark backgrounds.

The series colours keep to the hue order of Okabe and Ito's palette ("Color Universal Design",
2008), which people with any of the common colour deficiencies tell apart; they are darkened (or
lightened, for dark pages) to at least 3:1 against the page. Charts repeat the distinction in
dashes or labels, so that nothing rests on colour alone.

A chart is drawn once, in the light colours. The page's style sheet maps each of them to its dark
twin through an attribute selector, so every colour used in a chart must stand in ``CHART``.
"""

from __future__ import annotations

from typing import NamedTuple


class Shade(NamedTuple):
    light: str
    dark: str


INK = Shade("#1c2127", "#e7eaee")
MUTED = Shade("#5c6773", "#9ba7b4")
GRID = Shade("#e4e8ec", "#2a323b")
AXIS = Shade("#aab3bd", "#55606c")
PAPER = Shade("#fefefe", "#151a20")
FAINT = Shade("#c5ccd4", "#46515d")

SERIES = (
    Shade("#0069ab", "#58aee8"),
    Shade("#cc5500", "#f28e4b"),
    Shade("#00815c", "#3fc79b"),
    Shade("#b04a89", "#e394c4"),
    Shade("#a87400", "#e9bb4a"),
    Shade("#59636f", "#aeb8c3"),
)

DASHES = ((1, 0), (8, 3), (2, 2), (9, 3, 2, 3), (5, 5), (14, 4))
"""Line patterns, in step with ``SERIES``: dash, gap, dash, … in pixels."""


class LineStyle(NamedTuple):
    shade: Shade
    dash: tuple[int, ...]
    width: float


MEAN_LINE = LineStyle(INK, (1, 0), 3)


def line_style(place: int) -> LineStyle:
    """How the line of the given place (from 0) is drawn; styles repeat after the last colour."""
    return LineStyle(SERIES[place % len(SERIES)], DASHES[place % len(DASHES)], 2)


CHART = (INK, MUTED, GRID, AXIS, PAPER, FAINT, *SERIES)

HEAT_STEPS = 10
"""Classes ``h0`` to ``h9`` of the heat map: one hue, from the page's colour to the first series."""

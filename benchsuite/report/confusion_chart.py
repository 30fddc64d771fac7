"""A confusion matrix as a chart: rows are what there was, columns what it was taken for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from benchsuite.report.palette import SERIES
from benchsuite.report.vega import svg

BACKGROUND = "background"

_LONGEST_SIDE = 660
_SMALLEST_CELL, _LARGEST_CELL = 9, 34
_FAINTEST = 0.07
"""Opacity of a share of nearly nothing, which must still be seen."""


def confusion_chart(
    names: Sequence[str],
    counts: NDArray[np.float64],
    totals: NDArray[np.float64],
    *,
    name: str,
    description: str,
) -> Markup:
    """What was taken for what; a cell is the darker, the larger its share of its row.

    Args:
        names: of N categories, each once.
        counts: (N + 1, N + 1), rows are truth, columns predictions, the last of each background.
        totals: (N + 1,), of each row with whatever is not drawn.
        name, description: as ``vega.svg`` takes them.
    """
    labels = [*names, BACKGROUND]
    cell = min(_LARGEST_CELL, max(_SMALLEST_CELL, _LONGEST_SIDE // len(labels)))
    axis = {"labelFontSize": min(12, max(8, cell - 2)), "tickCount": None, "grid": False}

    def side(field: str, title: str, **of_axis: Any) -> dict[str, Any]:
        return {
            "field": field,
            "type": "nominal",
            "title": title,
            "scale": {"domain": labels, "padding": 0.04},
            "sort": None,
            "axis": {**axis, **of_axis},
        }

    def layer(data: str, colour: str) -> dict[str, Any]:
        return {
            "data": {"name": data},
            "mark": {"type": "rect", "color": colour},
            "encoding": {
                "x": side("predicted", "Taken for", labelAngle=-90, orient="top"),
                "y": side("truth", "There was"),
                "opacity": {"field": "shade", "type": "quantitative", "scale": None},
                "description": {"field": "told"},
            },
        }

    spec = {
        "width": cell * len(labels),
        "height": cell * len(labels),
        "layer": [layer("right", SERIES[0].light), layer("wrong", SERIES[1].light)],
    }
    cells = _cells(labels, counts, totals)
    return svg(
        spec,
        {
            "right": [each for each in cells if each["truth"] == each["predicted"]],
            "wrong": [each for each in cells if each["truth"] != each["predicted"]],
        },
        name=name,
        description=description,
    )


def _cells(
    labels: Sequence[str], counts: NDArray[np.float64], totals: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """The cells that are not 0, row by row."""
    cells = []
    for row, column in np.argwhere(counts > 0).tolist():
        count, share = counts[row, column], counts[row, column] / totals[row]
        cells.append(
            {
                "truth": labels[row],
                "predicted": labels[column],
                "shade": round(_FAINTEST + (1 - _FAINTEST) * share, 3),
                "told": _told(labels, row, column, f"{count:,.10g}", f"{100 * share:.3g} %"),
            }
        )
    return cells


def _told(labels: Sequence[str], row: int, column: int, count: str, share: str) -> str:
    background = len(labels) - 1
    if row == background:
        return f"{count} {labels[column]} found where nothing is, {share} of such mistakes"
    if column == background:
        return f"{labels[row]} not found: {count}, {share} of all"
    if row == column:
        return f"{labels[row]} found: {count}, {share} of all"
    return f"{labels[row]} taken for {labels[column]}: {count}, {share} of all"

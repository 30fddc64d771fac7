"""Precision against recall: a line a threshold of one run, or a line a run at one threshold."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from benchsuite.report.palette import LineStyle
from benchsuite.report.precision_recall import Curve
from benchsuite.report.vega import svg


def precision_recall(
    curves: Sequence[tuple[LineStyle, str, Curve]], *, name: str, description: str
) -> Markup:
    """Precision against recall, a line a curve; the page's legend tells which is whose.

    Args:
        curves: how a line is drawn, what it is of, and the line.
        name, description: as ``vega.svg`` takes them.
    """
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    axis = {"scale": {"domain": [0, 1]}, "axis": {"values": ticks, "tickCount": len(ticks)}}
    layers = [
        {
            "data": {"name": f"curve-{i}"},
            "mark": {
                "type": "line",
                "color": style.shade.light,
                "strokeDash": list(style.dash),
                "strokeWidth": style.width,
            },
            "encoding": {
                "x": {"field": "recall", "type": "quantitative", "title": "Recall", **axis},
                "y": {"field": "precision", "type": "quantitative", "title": "Precision", **axis},
                "description": {"field": "told"},
            },
        }
        for i, (style, _, _) in enumerate(curves)
    ]
    data = {
        f"curve-{i}": [
            {"recall": r, "precision": p, "told": told}
            for r, p in zip(curve.recall.round(4).tolist(), curve.precision.round(4).tolist())
        ]
        for i, (_, told, curve) in enumerate(curves)
    }
    # The first is the one that matters most: it is drawn last, above the others.
    spec = {"width": 400, "height": 250, "layer": layers[::-1]}
    return svg(spec, data, name=name, description=description)

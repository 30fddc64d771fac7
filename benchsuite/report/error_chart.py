"""What each type of error costs, as bars."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from benchsuite.report.palette import INK, SERIES
from benchsuite.report.vega import svg


def error_chart(gains: Sequence[tuple[str, float]], *, name: str, description: str) -> Markup:
    """A bar an error type.

    Args:
        gains: type, and what average precision would gain without such errors, 0 to 1.
        name, description: as ``vega.svg`` takes them.
    """
    labels = [label for label, _ in gains]
    y = {
        "field": "error",
        "type": "nominal",
        "title": None,
        "sort": None,
        "scale": {"domain": labels, "paddingInner": 0.3},
    }
    x = {
        "field": "gain",
        "type": "quantitative",
        "title": "Average precision to be gained, in points",
        "scale": {"zero": True, "nice": True},
    }
    spec = {
        "width": 340,
        "height": 26 * len(labels),
        "data": {"name": "errors"},
        "encoding": {"y": y, "x": x, "description": {"field": "told"}},
        "layer": [
            {"mark": {"type": "bar", "color": SERIES[1].light}},
            {
                "mark": {"type": "text", "align": "left", "dx": 5, "color": INK.light},
                "encoding": {"text": {"field": "written"}},
            },
        ],
    }
    rows = [
        {
            "error": label,
            "gain": round(100 * gain, 4),
            "written": f"{100 * gain:.1f}",
            "told": f"{label}: {100 * gain:.2f} points",
        }
        for label, gain in gains
    ]
    return svg(spec, {"errors": rows}, name=name, description=description)

"""The charts, as Vega-Lite specifications with their data in them.

Each function returns a drawn ``<svg>``. The words around a chart (title, caption, how to read it)
are the page's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from benchsuite.report import notation
from benchsuite.report.label_placement import place_labels
from benchsuite.report.latency import Histogram, Stretches
from benchsuite.report.palette import INK, MUTED, PAPER, SERIES, LineStyle
from benchsuite.report.pareto import pareto_front
from benchsuite.report.precision_recall import Curve
from benchsuite.report.vega import svg

_LABEL_SIZE = 12.0
_LONGEST_LABEL = 34


@dataclass(frozen=True, slots=True)
class Point:
    """A result in the plane of accuracy and latency.

    Attributes:
        name: the model's, as the table has it.
        latency: milliseconds an image, median.
        accuracy: as it is written: scaled to points where the board is.
    """

    name: str
    latency: float
    accuracy: float


def accuracy_against_latency(
    points: Sequence[Point],
    *,
    accuracy: str,
    higher_is_better: bool,
    name: str,
    description: str,
) -> Markup:
    """Scatter plot of one device's results with their Pareto front.

    The latency axis is logarithmic where latencies span more than a factor of six.
    """
    width, height = 500, 320
    front = pareto_front(
        [(p.latency, p.accuracy) for p in points], higher_is_better=higher_is_better
    )
    x_axis = _latency_scale([p.latency for p in points])
    low, high = _padded([p.accuracy for p in points])
    on_front = set(front)
    pixels = [
        (width * x_axis.place(p.latency), height * (1 - (p.accuracy - low) / (high - low)))
        for p in points
    ]
    order = [*front, *(i for i in range(len(points)) if i not in on_front)]
    labels = place_labels(
        [pixels[i] for i in order],
        [_shortened(points[i].name) if i in on_front or len(points) <= 12 else "" for i in order],
        width=width,
        height=height,
        font_size=_LABEL_SIZE,
        radius=6,
        obstacles=_steps([pixels[i] for i in front]),
    )
    x = {
        "field": "latency",
        "type": "quantitative",
        "title": "Latency, ms per image (median)",
        "scale": {
            "type": x_axis.kind,
            "domain": [x_axis.low, x_axis.high],
            "nice": False,
            "zero": False,
        },
        "axis": {"values": x_axis.ticks, "tickCount": len(x_axis.ticks), "format": "~g"},
    }
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": accuracy,
        "scale": {"domain": [low, high], "zero": False, "nice": False},
    }
    rows = [
        {
            "latency": p.latency,
            "accuracy": p.accuracy,
            "told": f"{p.name}: {p.accuracy:.4g} at {notation.milliseconds(p.latency)} ms"
            + (", on the Pareto front" if i in on_front else ""),
        }
        for i, p in enumerate(points)
    ]
    blue = SERIES[0].light
    mark = {"type": "point", "filled": True, "opacity": 1, "strokeWidth": 1.5}
    described = {"x": x, "y": y, "description": {"field": "told"}}
    layers: list[dict[str, Any]] = [
        {
            "data": {"name": "front"},
            "mark": {
                "type": "line",
                "interpolate": "step-after",
                "color": blue,
                "strokeWidth": 2,
                "opacity": 0.55,
            },
            "encoding": {"x": x, "y": y},
        },
        {
            "data": {"name": "beaten"},
            "mark": {**mark, "size": 70, "color": PAPER.light, "stroke": MUTED.light},
            "encoding": described,
        },
        {
            "data": {"name": "front"},
            "mark": {**mark, "size": 120, "color": blue, "stroke": PAPER.light},
            "encoding": described,
        },
    ]
    layers += [
        {
            "data": {"name": f"label-{i}"},
            "mark": {
                "type": "text",
                "text": _shortened(points[order[label.point]].name),
                "align": label.align,
                "dx": label.dx,
                "dy": label.dy,
                "baseline": "middle",
                "fontSize": _LABEL_SIZE,
                "fontWeight": 600 if order[label.point] in on_front else 400,
                "color": INK.light if order[label.point] in on_front else MUTED.light,
                "aria": False,
            },
            "encoding": {"x": x, "y": y},
        }
        for i, label in enumerate(labels)
    ]
    data = {
        "front": [rows[i] for i in front],
        "beaten": [row for i, row in enumerate(rows) if i not in on_front],
        **{f"label-{i}": [rows[order[label.point]]] for i, label in enumerate(labels)},
    }
    spec = {"width": width, "height": height, "layer": layers}
    return svg(spec, data, name=name, description=description)


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


def latency_along_run(
    along: Stretches, spread: Histogram, *, name: str, description: str
) -> Markup:
    """Latency in run order (median and the middle nine tenths), and how often each occurs."""
    blue = SERIES[0].light
    free = {"zero": False, "nice": False, "padding": 8}
    order = {
        "field": "image",
        "type": "quantitative",
        "title": "Image, in run order",
        "axis": {"grid": False, "tickCount": 4, "format": ",d", "tickMinStep": 1},
        "scale": {"zero": False, "nice": False},
    }
    y = {"type": "quantitative", "title": "Latency, ms per image", "scale": free}
    in_order = {
        "width": 420,
        "height": 220,
        "data": {"name": "stretches"},
        "layer": [
            {
                "mark": {"type": "area", "color": blue, "opacity": 0.2},
                "encoding": {"x": order, "y": {"field": "p5", **y}, "y2": {"field": "p95"}},
            },
            {
                "mark": {
                    "type": "line",
                    "color": blue,
                    "strokeWidth": 2,
                    "point": len(along.start) == 1,
                },
                "encoding": {"x": order, "y": {"field": "p50", **y}},
            },
        ],
    }
    bars = {
        "width": 120,
        "height": 220,
        "data": {"name": "bins"},
        "mark": {"type": "rect", "color": blue, "opacity": 0.75},
        "encoding": {
            "y": {
                "field": "low",
                "type": "quantitative",
                "scale": free,
                "axis": {"labels": False, "title": None},
            },
            "y2": {"field": "high"},
            "x": {
                "field": "none",
                "type": "quantitative",
                "title": "Images",
                "axis": {"grid": False, "tickCount": 2, "format": ",d", "tickMinStep": 1},
                "scale": {"nice": True},
            },
            "x2": {"field": "images"},
        },
    }
    middle = (along.images - 1) / 2
    edges = spread.edges.round(4).tolist()
    data = {
        "stretches": [
            {"image": start + middle, "p5": p5, "p50": p50, "p95": p95}
            for start, p5, p50, p95 in zip(
                along.start.tolist(),
                *(each.round(4).tolist() for each in (along.p5, along.p50, along.p95)),
            )
        ],
        "bins": [
            {"low": low, "high": high, "none": 0, "images": images}
            for low, high, images in zip(edges, edges[1:], spread.counts.tolist())
        ],
    }
    spec = {"spacing": 18, "hconcat": [in_order, bars], "resolve": {"scale": {"y": "shared"}}}
    return svg(spec, data, name=name, description=description)


def _steps(front: Sequence[tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    """The front's line as boxes (left, top, right, bottom) that labels keep clear of."""
    boxes = []
    for (x0, y0), (x1, y1) in pairwise(front):
        boxes.append((x0, y0 - 1, x1, y0 + 1))
        boxes.append((x1 - 1, min(y0, y1), x1 + 1, max(y0, y1)))
    return boxes


@dataclass(frozen=True, slots=True)
class _LatencyScale:
    kind: str
    low: float
    high: float
    ticks: list[float]

    def place(self, latency: float) -> float:
        """Where a latency lies on the axis, 0 to 1."""
        if self.kind == "log":
            return math.log(latency / self.low) / math.log(self.high / self.low)
        return (latency - self.low) / (self.high - self.low)


def _latency_scale(latencies: Sequence[float]) -> _LatencyScale:
    low, high = min(latencies), max(latencies)
    if low > 0 and high > 6 * low:
        low, high = low / 1.25, high * 1.25
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        steps = (1, 2, 5) if last - first <= 3 else (1,)
        ticks = [s * 10.0**e for e in range(first, last + 1) for s in steps]
        return _LatencyScale("log", low, high, [t for t in ticks if low <= t <= high])
    low, high = _padded(latencies, share=0.12)
    low = max(0.0, low)
    step = _nice_step((high - low) / 5)
    first = math.ceil(low / step)
    ticks = [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]
    return _LatencyScale("linear", low, high, ticks)


def _padded(values: Sequence[float], share: float = 0.1) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = share * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _nice_step(size: float) -> float:
    power = 10.0 ** math.floor(math.log10(size))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= size * 0.999)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"

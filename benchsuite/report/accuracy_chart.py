"""Accuracy against latency, with the Pareto front: a point a result, all of one device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from benchsuite.report import notation
from benchsuite.report.label_placement import place_labels
from benchsuite.report.palette import INK, MUTED, PAPER, SERIES
from benchsuite.report.pareto import pareto_front
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
                "aria": False,
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

"""Latency along a run: whether the machine kept its pace, and how the times are spread."""

from __future__ import annotations

from itertools import pairwise

from markupsafe import Markup

from benchsuite.report.latency import Histogram, Stretches
from benchsuite.report.palette import SERIES
from benchsuite.report.vega import Rows, svg


def latency_along_run(
    along: Stretches, spread: Histogram | None, *, name: str, description: str
) -> Markup:
    """Latency in run order (median and the middle nine tenths), and how often each occurs.

    Without ``spread`` it is one point an image, and no histogram.
    """
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
                "mark": {"type": "area", "color": blue, "opacity": 0.2, "aria": False},
                "encoding": {"x": order, "y": {"field": "p5", **y}, "y2": {"field": "p95"}},
            },
            {
                "mark": {
                    "type": "line",
                    "color": blue,
                    "strokeWidth": 2,
                    "aria": False,
                    "point": {"color": blue, "aria": False} if spread is None else False,
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
            "description": {"field": "told"},
        },
    }
    middle = (along.images - 1) / 2
    data: dict[str, Rows] = {
        "stretches": [
            {"image": start + middle, "p5": p5, "p50": p50, "p95": p95}
            for start, p5, p50, p95 in zip(
                along.start.tolist(),
                *(each.round(4).tolist() for each in (along.p5, along.p50, along.p95)),
            )
        ],
    }
    if spread is None:
        return svg(in_order, data, name=name, description=description)
    data["bins"] = [
        {
            "low": low,
            "high": high,
            "none": 0,
            "images": images,
            "told": f"{low:.4g} to {high:.4g} ms: {images} images",
        }
        for (low, high), images in zip(
            pairwise(spread.edges.round(4).tolist()), spread.counts.tolist()
        )
    ]
    spec = {"spacing": 18, "hconcat": [in_order, bars], "resolve": {"scale": {"y": "shared"}}}
    return svg(spec, data, name=name, description=description)

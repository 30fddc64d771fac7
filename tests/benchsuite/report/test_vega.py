"""Charts as SVG that stands in a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from benchsuite.report.accuracy_chart import Point, accuracy_against_latency
from benchsuite.report.latency import histogram, stretches
from benchsuite.report.latency_chart import latency_along_run
from benchsuite.report.palette import CHART, MEAN_LINE, line_style
from benchsuite.report.precision_recall import Curve
from benchsuite.report.precision_recall_chart import precision_recall
from benchsuite.report.vega import svg

HOSTILE = "</svg><script>alert(1)</script>\"'&"
SVG = "{http://www.w3.org/2000/svg}"


def accuracy_chart(names: list[str] | None = None) -> Markup:
    names = names or ["fast", "middle", "beaten", HOSTILE]
    points = [
        Point(name, latency, accuracy)
        for name, latency, accuracy in zip(names, (5.0, 20.0, 30.0, 90.0), (20.0, 40.0, 39.0, 50.0))
    ]
    return accuracy_against_latency(
        points, accuracy="AP", higher_is_better=True, name="latency-0", description=HOSTILE
    )


def recall_chart() -> Markup:
    grid = np.linspace(0, 1, 41)
    lines = [(MEAN_LINE, HOSTILE, Curve(None, grid, 1 - grid, 3))]
    lines += [(line_style(i), f"line {i}", Curve(0.5, grid, 1 - grid**i, 3)) for i in range(1, 7)]
    return precision_recall(lines, name="pr", description="curves")


def latency_chart(images: int = 200) -> Markup:
    latency = np.random.default_rng(0).gamma(50, 1, images)
    spread = histogram(latency) if images > 20 else None
    return latency_along_run(stretches(latency), spread, name="latency", description="times")


CHARTS = pytest.mark.parametrize(
    "chart", [accuracy_chart, recall_chart, latency_chart, lambda: latency_chart(4)]
)


@CHARTS
def test_a_chart_is_well_formed_and_has_a_name(chart: object) -> None:
    root = ElementTree.fromstring(chart())  # type: ignore[operator]
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


@CHARTS
def test_a_chart_is_the_same_every_time(chart: object) -> None:
    assert chart() == chart()  # type: ignore[operator]


@CHARTS
def test_a_chart_loads_and_runs_nothing(chart: object) -> None:
    drawn = chart()  # type: ignore[operator]
    root = ElementTree.fromstring(drawn)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "g", "path", "line", "rect", "text", "title", "defs", "clipPath"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in attributes if name.startswith("on") or "href" in name}
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


@CHARTS
def test_every_colour_of_a_chart_has_a_dark_twin(chart: object) -> None:
    drawn = chart()  # type: ignore[operator]
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn)) - {"none", "transparent"}
    assert used <= {shade.light for shade in CHART}


def test_the_dark_twins_stand_out_from_the_dark_page() -> None:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        high, low = sorted((luminance(one), luminance(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for place in range(6):
        shade = line_style(place).shade
        assert contrast(shade.light, "#ffffff") >= 3
        assert contrast(shade.dark, "#0f1317") >= 3
    assert contrast(MEAN_LINE.shade.light, "#ffffff") > 10


def test_names_are_escaped_and_shown_on_hover() -> None:
    drawn = accuracy_chart()
    assert "<script" not in drawn
    titles = [title.text for title in ElementTree.fromstring(drawn).iter(f"{SVG}title")]
    assert f"{HOSTILE}: 50 at 90.0 ms, on the Pareto front" in titles
    assert "beaten: 39 at 30.0 ms" in titles
    assert len(titles) == 4, "one a point"


def test_ids_are_numbered_within_their_chart() -> None:
    clipped = {
        "width": 50,
        "height": 50,
        "data": {"name": "rows"},
        "mark": {"type": "point", "clip": True},
        "encoding": {"x": {"field": "x", "type": "quantitative"}},
    }
    rows = {"rows": [{"x": 1}, {"x": 2}]}
    drawn = svg(clipped, rows, name="a b", description="d")
    ids = re.findall(r'\bid="([^"]+)"', drawn)
    assert ids
    assert all(re.fullmatch(r"a-b-\d+", each) for each in ids)
    assert set(re.findall(r"url\(#([^)]+)\)", drawn)) <= set(ids)
    assert drawn == svg(clipped, rows, name="a b", description="d")


def test_many_points_and_equal_points_can_be_drawn() -> None:
    same = [Point(f"m{i}", 10.0, 40.0) for i in range(3)]
    assert "<path" in accuracy_against_latency(
        same, accuracy="AP", higher_is_better=True, name="x", description="d"
    )
    many = [Point(f"model {i}", 5.0 + i, 20.0 + i % 37) for i in range(300)]
    drawn = accuracy_against_latency(
        many, accuracy="AP", higher_is_better=False, name="x", description="d"
    )
    titles = list(ElementTree.fromstring(drawn).iter(f"{SVG}title"))
    assert len(titles) == 300

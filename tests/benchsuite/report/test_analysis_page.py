"""The page of an analysis."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchsuite.report.analysis_page import (
    AnalysisDrawn,
    ErrorType,
    most_confused,
    render_analysis,
)
from benchsuite.report.confusion_chart import confusion_chart
from benchsuite.report.error_chart import error_chart
from benchsuite.report.palette import CHART
from benchsuite.schemas import PR_CURVES

HOSTILE = "</svg><script>alert(1)</script>\"'&"


def analysis(names: tuple[str, ...] = ("cat", "dog"), **fields: Any) -> AnalysisDrawn:
    counts = np.zeros((len(names) + 1, len(names) + 1))
    counts[0, :3] = [5, 3, 2]
    counts[-1, 0] = 4
    recall = np.linspace(0, 1, 101).tolist()
    curves = pa.Table.from_pylist(
        [
            {
                "category_id": 1,
                "iou": iou,
                "area": "all",
                "max_detections": 100,
                "recall": recall,
                "precision": [0.9] * 101,
                "score": [0.5] * 101,
            }
            for iou in (0.5, 0.75)
        ],
        schema=PR_CURVES,
    )
    drawn = AnalysisDrawn(
        name="detector",
        dataset="coco/val2017",
        task="bbox",
        evaluator="benchsuite 1",
        values=[("AP", 0.41234), ("APs", -1.0)],
        iou=0.5,
        background=0.1,
        score=0.3,
        ap=0.6,
        errors=[ErrorType("Cls", "wrong", 12.0, 0.0512), ErrorType("Loc", "badly", 0.0, 0.0)],
        special=[ErrorType("FalsePos", "all", None, 0.25)],
        categories=names,
        confusion=counts,
        pairs=[(names[0], names[1], 3.0, 0.3)],
        class_errors=[(names[0], [(12.0, 0.25), (0.0, None)])],
        curves=curves,
        thresholds=[
            (names[0], {"score": 0.4321, "f1": 0.75, "precision": 0.8, "recall": 0.7059}),
            (names[1], {"score": None, "f1": 0.0, "precision": None, "recall": 0.0}),
            (None, {"score": 0.5, "f1": 0.7, "precision": 0.9, "recall": 0.573}),
        ],
    )
    return replace(drawn, **fields)


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_numbers_are_written_as_the_field_does() -> None:
    told = text(render_analysis(analysis()))
    assert "AP 41.2" in told
    assert "APs –" in told
    assert "at an IoU of 0.5, average precision 60.0" in told
    assert "Cls wrong 12 +5.1" in told
    assert "FalsePos all – +25.0" in told
    assert "cat dog 3 30.0 %" in told
    assert "cat 12 (+25.0) 0" in told
    assert "all, at one score 0.500 70.0 90.0 57.3 cat 0.432 75.0 80.0 70.6 dog – 0.0 – 0.0" in told


def test_what_a_cell_tells() -> None:
    html = render_analysis(analysis())
    for told in (
        "cat found: 5, 50 % of all",
        "cat taken for dog: 3, 30 % of all",
        "cat not found: 2, 20 % of all",
        "4 cat found where nothing is, 100 % of such mistakes",
    ):
        assert f"<title>{told}</title>" in html


def test_one_file_that_runs_nothing_else() -> None:
    html = render_analysis(analysis((HOSTILE, "b")))
    assert html.count("<script") == 1
    assert "default-src 'none'" in html
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)


def test_the_same_analysis_gives_the_same_bytes() -> None:
    assert render_analysis(analysis()) == render_analysis(analysis())


def test_without_curves_and_confusion() -> None:
    empty = analysis(curves=None, pairs=[], confusion=np.zeros((3, 3)), class_errors=[])
    html = render_analysis(empty)
    assert "No category is taken for another." in html
    assert "Precision and recall" not in html


def test_of_many_categories_those_that_are_confused_most_are_drawn() -> None:
    names = tuple(f"class {i}" for i in range(300))
    counts = np.zeros((301, 301))
    counts[np.arange(300), np.arange(300)] = 100
    counts[250:300, 7] = 3
    counts[:, 300] = 1000
    assert most_confused(counts, 3) == [7, 250, 251]
    html = render_analysis(analysis(names, confusion=counts))
    assert "The 80 of 300 categories that are confused most." in html
    assert "class 299 taken for class 7: 3, 0.272 % of all" in html
    assert "class 100 found" not in html


def test_categories_of_one_name_are_told_apart() -> None:
    html = render_analysis(analysis(("cat", "cat")))
    assert "cat taken for cat (2): 3" in html


@pytest.mark.parametrize("names", [("cat",), ("cat", HOSTILE), tuple(map(str, range(80)))])
def test_charts_are_well_formed_and_of_the_palette(names: tuple[str, ...]) -> None:
    count = len(names) + 1
    charts = [
        confusion_chart(
            names, np.ones((count, count)), np.ones(count), name="matrix", description=HOSTILE
        ),
        error_chart([(each, 0.1) for each in names], name="errors", description=HOSTILE),
    ]
    known = {shade.light for shade in CHART} | {"none", "transparent", "currentColor"}
    for chart in charts:
        root = ElementTree.fromstring(chart)
        assert root.get("role") == "img"
        used = re.findall(r'(?:fill|stroke)="([^"]+)"', chart)
        assert {colour for colour in used if not colour.startswith("url")} <= known

"""The page of an analysis: what a detector gets wrong, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from markupsafe import Markup
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_values
from benchsuite.report.confusion_chart import confusion_chart
from benchsuite.report.error_chart import error_chart
from benchsuite.report.pages import render
from benchsuite.report.palette import MEAN_LINE, LineStyle, line_style
from benchsuite.report.precision_recall import mean_curves
from benchsuite.report.precision_recall_chart import precision_recall

MOST_DRAWN = 80
"""Categories that a matrix is drawn of; of more, those that are confused most."""

_MOST_PAIRS = 30


@dataclass(frozen=True, slots=True)
class ErrorType:
    """One type of error.

    Attributes:
        name: what the field calls it (``"Loc"``).
        what: in a few words.
        count: how many; ``None`` where they are not counted.
        gain: what average precision would gain without them, 0 to 1.
    """

    name: str
    what: str
    count: float | None
    gain: float


@dataclass(frozen=True, slots=True)
class AnalysisDrawn:
    """All that the page shows.

    Attributes:
        name: whose detections they are.
        dataset: of what.
        task: the prefix of the values.
        evaluator: what matched them.
        values: name and number of the protocol's summary, -1 where there is nothing to measure.
        iou, background, score: the analysis's thresholds.
        ap: average precision at that IoU.
        errors: each type; ``special`` those that overlap with others.
        categories: names of K categories.
        confusion: (K + 1, K + 1), rows are truth, the last of each background.
        pairs: what there was, what it was taken for, how often, and the share of what there was;
            the most often first.
        class_errors: category, the count of each type and what its own average precision would gain
            (``None``: it has no truths).
        curves: ``schemas.PR_CURVES``.
        thresholds: category and ``score``, ``f1``, ``precision`` and ``recall`` where its F1 is
            best; last, with no name, those of one threshold for all.
    """

    name: str
    dataset: str
    task: str
    evaluator: str
    values: Sequence[tuple[str, float]]
    iou: float
    background: float
    score: float
    ap: float
    errors: Sequence[ErrorType]
    special: Sequence[ErrorType]
    categories: Sequence[str]
    confusion: NDArray[np.float64]
    pairs: Sequence[tuple[str, str, float, float]]
    class_errors: Sequence[tuple[str, Sequence[tuple[float, float | None]]]]
    curves: pa.Table | None
    thresholds: Sequence[tuple[str | None, Mapping[str, float | None]]]


@dataclass(frozen=True, slots=True)
class _Curves:
    chart: Markup
    categories: int
    legend: Sequence[tuple[LineStyle, str]]


def render_analysis(analysis: AnalysisDrawn) -> str:
    """The page: one HTML file that needs no other, no network and no JavaScript."""
    labels = _distinct(analysis.categories)
    shown = most_confused(analysis.confusion, MOST_DRAWN)
    return render(
        "analysis.html",
        home=None,
        analysis=analysis,
        error_chart=error_chart(
            [(each.name, each.gain) for each in analysis.errors],
            name="errors",
            description="What average precision would gain without each type of error: "
            + ", ".join(f"{each.name} {100 * each.gain:.1f}" for each in analysis.errors),
        ),
        confusion_chart=confusion_chart(
            [labels[place] for place in shown],
            analysis.confusion[np.ix_([*shown, -1], [*shown, -1])],
            analysis.confusion.sum(axis=1)[[*shown, -1]],
            name="confusion",
            description=f"Confusion matrix of {len(shown)} categories and the background.",
        ),
        shown=len(shown),
        pairs=analysis.pairs[:_MOST_PAIRS],
        curves=_drawn_curves(analysis),
    )


def most_confused(counts: NDArray[np.float64], most: int) -> list[int]:
    """Places of the categories to show, ascending: of more than ``most``, those confused most."""
    categories = len(counts) - 1
    between = counts[:-1, :-1] * ~np.eye(categories, dtype=np.bool_)
    weights = between.sum(axis=0) + between.sum(axis=1)
    return sorted(np.argsort(-weights, kind="stable")[:most].tolist())


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, those that are there twice numbered."""
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        labels.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return labels


def _drawn_curves(analysis: AnalysisDrawn) -> _Curves | None:
    if analysis.curves is None:
        return None
    task = from_values([analysis.task] * len(analysis.curves), pa.string())
    found = mean_curves(analysis.curves.append_column("task", task), analysis.task)
    if not found:
        return None
    lines = [
        (MEAN_LINE if curve.iou is None else line_style(place), f"IoU {curve.label}", curve)
        for place, curve in enumerate(found)
    ]
    chart = precision_recall(
        lines,
        name="pr",
        description=f"Precision against recall, mean over {found[0].categories} categories: "
        f"{', '.join(told for _, told, _ in lines)}.",
    )
    return _Curves(chart, found[0].categories, [(style, told) for style, told, _ in lines])

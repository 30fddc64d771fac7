"""The analysis as a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchsuite.columns.arrow_arrays import is_present, to_numpy
from benchsuite.errors import BenchsuiteError
from benchsuite.report.analysis_page import AnalysisDrawn, ErrorType, render_analysis
from benchsuite_plugins.analysis.analysis import Analysis
from benchsuite_plugins.metrics.detection_errors import ERRORS
from benchsuite_plugins.metrics.error_types import SPECIAL, WHAT


def write_page(analysis: Analysis, path: Path) -> None:
    """Draw the page.

    Raises:
        BenchsuiteError: the file cannot be written.
    """
    page = render_analysis(_drawn(analysis))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BenchsuiteError(f"{path} cannot be written: {error.strerror or error}") from error


def _drawn(analysis: Analysis) -> AnalysisDrawn:
    found = analysis.errors

    def types(names: tuple[str, ...]) -> list[ErrorType]:
        return [
            ErrorType(name, WHAT[name], found.counts.get(name), found.delta_ap[name])
            for name in names
        ]

    counts = to_numpy(found.per_class["count"]).reshape(-1, len(ERRORS))
    gains = np.where(
        is_present(found.per_class["delta_ap"]), to_numpy(found.per_class["delta_ap"]), np.nan
    ).reshape(-1, len(ERRORS))
    rows = [
        (name, [(count, None if gain != gain else gain) for count, gain in zip(*cells)])
        for name, *cells in zip(analysis.category_names, counts.tolist(), gains.tolist())
    ]
    # Most errors first; classes that have neither truths nor detections say nothing.
    order = np.argsort(-counts.sum(axis=1), kind="stable").tolist()
    return AnalysisDrawn(
        name=analysis.sides.name,
        dataset=analysis.sides.dataset,
        task=analysis.sides.task,
        evaluator=analysis.evaluator,
        values=list(analysis.scores.metrics.items()),
        iou=found.iou,
        background=found.background,
        score=analysis.score,
        ap=found.ap,
        errors=types(ERRORS),
        special=types(SPECIAL),
        categories=analysis.category_names,
        confusion=analysis.confusion.counts,
        pairs=analysis.pairs(),
        class_errors=[rows[place] for place in order if any(count for count, _ in rows[place][1])],
        curves=analysis.scores.curves,
        thresholds=analysis.best_thresholds(),
    )

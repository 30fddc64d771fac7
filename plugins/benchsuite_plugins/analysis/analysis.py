"""The analysis: error types, confusion matrix, curves and best thresholds of one match table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchsuite.errors import BenchsuiteError, ContractError, UsageError
from benchsuite.protocols import Scores
from benchsuite_plugins.analysis.sources import AnalysisRequest, Sides
from benchsuite_plugins.metrics.confusion_matrix import ConfusionMatrix, confusion_matrix
from benchsuite_plugins.metrics.error_types import ErrorTypes, error_types
from benchsuite_plugins.metrics.f1_thresholds import f1_thresholds
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.overlap_table import overlap_table

MOST_PAIRS = 20
"""Confused pairs of categories that are told."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found.

    Attributes:
        sides: what was analysed.
        score: the least score of a detection in the confusion matrix.
        evaluator: what matched.
        scores: the metric's own.
        errors, confusion: see there.
        overlaps: the overlap table.
        thresholds: ``F1_THRESHOLDS``: the score at which each category's F1 is best.
    """

    sides: Sides
    score: float
    evaluator: str
    scores: Scores
    errors: ErrorTypes
    confusion: ConfusionMatrix
    overlaps: pa.Table
    thresholds: pa.Table

    @property
    def category_names(self) -> list[str]:
        """Of the confusion matrix's categories, in its order."""
        names = {category.id: category.name for category in self.sides.categories}
        return [names.get(each, str(each)) for each in self.confusion.category_ids]

    def pairs(self) -> list[tuple[str, str, float, float]]:
        """Names of what there was and what it was taken for, how often, and the share of what there
        was; most often first."""
        names = self.category_names
        return [
            (names[truth], names[predicted], count, share)
            for truth, predicted, count, share in self.confusion.confused()
        ]

    def tables(self) -> dict[str, pa.Table]:
        """Name to table, for those who look further."""
        return {
            "errors": self.errors.errors,
            "errors_per_class": self.errors.per_class,
            "confusion": self.confusion.cells(),
            "overlaps": self.overlaps,
            "f1_thresholds": self.thresholds,
        }

    def best_thresholds(self) -> list[tuple[str | None, dict[str, float | None]]]:
        """Category and ``score``, ``f1``, ``precision`` and ``recall`` where its F1 is best, for
        those that have truths; last, with no name, one threshold for all."""
        names = {category.id: category.name for category in self.sides.categories}
        kept = ("score", "f1", "precision", "recall")
        return [
            (
                None if row["category_id"] is None else names[row["category_id"]],
                {name: row[name] for name in kept},
            )
            for row in self.thresholds.to_pylist()
            if row["category_id"] is None or row["f1"] is not None
        ]

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` puts on standard output; numbers as ``eval`` gives them."""
        found = self.errors
        counts = self.confusion.counts
        return {
            "name": self.sides.name,
            "dataset": self.sides.dataset,
            "task": self.sides.task,
            "evaluator": self.evaluator,
            "iou": found.iou,
            "background": found.background,
            "score": self.score,
            "metrics": {
                f"{self.sides.task}/{name}": value for name, value in self.scores.metrics.items()
            },
            "ap": found.ap,
            "errors": {
                name: {"count": found.counts.get(name), "delta_ap": gain}
                for name, gain in found.delta_ap.items()
            },
            "f1": {
                "together": self.best_thresholds()[-1][1],
                "per_class": [
                    {"category": name, **best} for name, best in self.best_thresholds()[:-1]
                ],
            },
            "confusion": {
                "right": float(counts[:-1, :-1].diagonal().sum()),
                "confused": float(counts[:-1, :-1].sum() - counts[:-1, :-1].diagonal().sum()),
                "missed": float(counts[:-1, -1].sum()),
                "background": float(counts[-1, :-1].sum()),
                "pairs": [
                    {"truth": truth, "predicted": predicted, "count": count, "share": share}
                    for truth, predicted, count, share in self.pairs()[:MOST_PAIRS]
                ],
            },
        }


def analyze(
    sides: Sides, request: AnalysisRequest, tell: Callable[[str], None] = lambda _: None
) -> Analysis:
    """Match, and look at what went wrong.

    Raises:
        UsageError: the metric's matches cannot be analysed, or not at these thresholds.
        InputError: a record that cannot be scored.
    """
    metric = sides.metric.metric
    tell(f"matching for {sides.task} with {metric.evaluator}")
    matches = metric.match(sides.truth, sides.predictions)
    try:
        MatchHeader.of(matches)
    except ContractError as error:
        raise UsageError(
            f"the matches of metric {sides.metric.spec.name!r} are not of COCO's kind, and cannot "
            "be analysed; choose another --task"
        ) from error
    tell("comparing all detections with all objects")
    overlaps = overlap_table(
        sides.truth, sides.predictions, matches, least=min(request.background, request.iou)
    )
    return Analysis(
        sides=sides,
        score=request.score,
        evaluator=metric.evaluator,
        scores=metric.accumulate(matches),
        errors=error_types(matches, overlaps, iou=request.iou, background=request.background),
        confusion=confusion_matrix(matches, overlaps, iou=request.iou, score=request.score),
        overlaps=overlaps,
        thresholds=f1_thresholds(matches, iou=request.iou),
    )


def write_tables(analysis: Analysis, folder: Path) -> list[Path]:
    """One Parquet file a table.

    Raises:
        BenchsuiteError: the folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in analysis.tables().items():
            pq.write_table(table, folder / f"{name}.parquet")
            written.append(folder / f"{name}.parquet")
    except OSError as error:
        raise BenchsuiteError(f"{folder} cannot be written: {error.strerror or error}") from error
    return written

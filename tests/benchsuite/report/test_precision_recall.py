"""Mean precision-recall curves, by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from benchsuite import schemas
from benchsuite.report.precision_recall import mean_curves

GRID = [0.0, 0.5, 1.0]


def row(
    category_id: int,
    precision: Sequence[float],
    iou: float = 0.5,
    area: str = "all",
    max_detections: int = 100,
    recall: Sequence[float] = GRID,
    task: str = "bbox",
) -> dict[str, object]:
    return {
        "run_id": "r",
        "task": task,
        "category": f"c{category_id}",
        "category_id": category_id,
        "iou": iou,
        "area": area,
        "max_detections": max_detections,
        "recall": list(recall),
        "precision": list(precision),
        "score": [0.5] * len(precision),
    }


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schemas.STORED_PR_CURVES)


def at(curve: object, recall: float) -> float:
    place = int(np.argmin(np.abs(curve.recall - recall)))  # type: ignore[attr-defined]
    return float(curve.precision[place])  # type: ignore[attr-defined]


def test_the_mean_over_categories() -> None:
    (curve,) = mean_curves(table(row(1, [1.0, 0.8, 0.2]), row(2, [0.6, 0.4, 0.0])), "bbox")
    assert curve.iou == 0.5
    assert curve.categories == 2
    assert at(curve, 0.0) == pytest.approx(0.8)
    assert at(curve, 0.5) == pytest.approx(0.6)
    assert at(curve, 1.0) == pytest.approx(0.1)
    # Between stored recalls: the best precision at that recall or above.
    assert at(curve, 0.25) == pytest.approx(0.6)


def test_categories_without_truth_take_no_part() -> None:
    (curve,) = mean_curves(table(row(1, [0.9, 0.5, 0.1]), row(2, [-1.0, -1.0, -1.0])), "bbox")
    assert curve.categories == 1
    assert at(curve, 0.0) == pytest.approx(0.9)
    assert mean_curves(table(row(1, [-1.0, -1.0, -1.0])), "bbox") == []


def test_only_the_rows_behind_the_headline_number_count() -> None:
    rows = [
        row(1, [1.0, 1.0, 1.0]),
        row(1, [0.0, 0.0, 0.0], area="small"),
        row(1, [0.0, 0.0, 0.0], max_detections=10),
        row(1, [0.0, 0.0, 0.0], task="segm"),
    ]
    (curve,) = mean_curves(table(*rows), "bbox")
    assert at(curve, 0.5) == 1.0
    assert mean_curves(table(*rows), "keypoints") == []


def test_thresholds_and_their_mean() -> None:
    ious = np.linspace(0.5, 0.95, 10)
    rows = [row(1, [1.0 - iou] * 3, iou=float(iou)) for iou in ious]
    curves = mean_curves(table(*rows), "bbox")
    assert [curve.iou for curve in curves] == [None, 0.5, 0.75, 0.9]
    assert at(curves[0], 0.5) == pytest.approx(1 - ious.mean())
    assert [curve.label for curve in curves] == ["mean of 10 thresholds", "0.50", "0.75", "0.90"]


def test_the_mean_of_a_few_stored_thresholds_is_not_shown() -> None:
    few = mean_curves(table(row(1, [0.5] * 3, iou=0.5), row(1, [0.4] * 3, iou=0.75)), "bbox")
    assert [curve.iou for curve in few] == [0.5, 0.75]
    other = mean_curves(table(*(row(1, [0.5] * 3, iou=iou) for iou in (0.2, 0.3, 0.4))), "bbox")
    assert [curve.iou for curve in other] == [0.2, 0.3, 0.4]


def test_curves_with_grids_of_their_own() -> None:
    rows = [row(1, [1.0, 0.8, 0.2]), row(2, [0.6, 0.4], recall=[0.0, 0.5]), row(3, [], recall=[])]
    (curve,) = mean_curves(table(*rows), "bbox")
    assert curve.categories == 2
    assert at(curve, 0.5) == pytest.approx(0.6)
    assert at(curve, 1.0) == pytest.approx(0.1), "beyond its last recall a curve is 0"


def test_the_area_under_the_mean_curve_is_the_average_precision() -> None:
    recall = np.linspace(0, 1, 101)
    precisions = [1 - recall**2, 1 - recall]
    rows = [row(i, p.tolist(), recall=recall.tolist()) for i, p in enumerate(precisions)]
    (curve,) = mean_curves(table(*rows), "bbox")
    average_precision = np.mean([p.mean() for p in precisions])
    assert curve.precision.mean() == pytest.approx(average_precision, abs=0.01)


def test_no_curves_at_all() -> None:
    assert mean_curves(schemas.STORED_PR_CURVES.empty_table(), "bbox") == []

"""Precision-recall curves of a whole run: the mean over its categories at each recall.

The stored curves hold one row a category and threshold. A person looks at their mean: the area
under the mean curve is the mean average precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_POINTS = 41
"""Points a drawn curve has: every 0.025 of recall, finer than the line is wide."""


_ENOUGH_FOR_MEAN = 5
"""A metric may store a few of its thresholds only; the mean of those is nobody's number."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean precision over categories.

    Attributes:
        iou: the overlap threshold; ``None``: the mean over all that are stored.
        recall, precision: (P,) float64, 0 to 1.
        categories: how many categories have truth and so take part.
        thresholds: how many thresholds it is the mean of.
    """

    iou: float | None
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    categories: int
    thresholds: int = 1

    @property
    def label(self) -> str:
        """``0.50``, or what the mean is of."""
        return f"mean of {self.thresholds} thresholds" if self.iou is None else f"{self.iou:.2f}"


def mean_curves(curves: pa.Table, task: str) -> list[Curve]:
    """The mean curves of one run for all areas and the most detections an image.

    Args:
        curves: ``schemas.STORED_PR_CURVES`` of one run.
        task: which rows count.

    Returns:
        The curves at 0.50, 0.75 and 0.90, as far as they are stored (where none of them is, at the
        first, the middle and the last threshold there is), after the mean over all thresholds
        where enough are stored for it to be a protocol's own mean; empty where nothing was stored.
    """
    rows = _headline_rows(curves, task)
    if rows.num_rows == 0:
        return []
    ious = rows["iou"].to_numpy()
    present = sorted({round(float(iou), 6) for iou in ious})
    grid = np.linspace(0, 1, _POINTS)
    precision = _on_grid(rows, grid)
    with_truth = ~np.isnan(precision).any(axis=1)

    def mean(of: NDArray[np.bool_], iou: float | None) -> Curve | None:
        kept = of & with_truth
        if not kept.any():
            return None
        ids = rows["category_id"].to_numpy()[kept]
        averaged = len(present) if iou is None else 1
        return Curve(iou, grid, precision[kept].mean(axis=0), len(np.unique(ids)), averaged)

    found = [mean(np.abs(ious - iou) < 1e-6, iou) for iou in _chosen(present)]
    if len(present) >= _ENOUGH_FOR_MEAN:
        found.insert(0, mean(np.ones(len(ious), bool), None))
    return [curve for curve in found if curve is not None]


def _headline_rows(curves: pa.Table, task: str) -> pa.Table:
    """The rows behind the headline number: this task, all areas, the most detections."""
    chosen = curves.filter(pc.equal(curves["task"], pa.scalar(task)))
    areas = set(chosen["area"].unique().to_pylist())
    if "all" in areas:
        chosen = chosen.filter(pc.equal(chosen["area"], pa.scalar("all")))
    if chosen.num_rows == 0:
        return chosen
    return chosen.filter(
        pc.equal(chosen["max_detections"], pc.max(chosen["max_detections"]))
    ).combine_chunks()


def _chosen(present: Sequence[float]) -> list[float]:
    usual = [iou for iou in (0.5, 0.75, 0.9) if iou in present]
    if usual:
        return usual
    return sorted({present[0], present[len(present) // 2], present[-1]})


def _on_grid(rows: pa.Table, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows, P) precision at the grid's recalls; NaN in a row without truth.

    At a recall that was not stored, it is the best precision at that recall or above, as the
    protocol interpolates; beyond the last recall it is 0.
    """
    recalls = rows["recall"].combine_chunks()
    precisions = rows["precision"].combine_chunks()
    lengths = pc.list_value_length(recalls).to_numpy(zero_copy_only=False)
    result = np.full((rows.num_rows, len(grid)), np.nan)
    if len(set(lengths.tolist())) == 1 and lengths[0] > 0:
        shape = (rows.num_rows, int(lengths[0]))
        recall = pc.list_flatten(recalls).to_numpy(zero_copy_only=False).reshape(shape)
        precision = pc.list_flatten(precisions).to_numpy(zero_copy_only=False).reshape(shape)
        if (recall == recall[0]).all():
            result[:] = _interpolated(recall[0], precision, grid)
            result[~(precision >= 0).all(axis=1)] = np.nan
            return result
    for i, (xs, ys) in enumerate(zip(recalls.to_pylist(), precisions.to_pylist())):
        if ys and all(y is not None and y >= 0 for y in ys):
            result[i] = _interpolated(np.asarray(xs), np.asarray([ys]), grid)[0]
    return result


def _interpolated(
    recall: NDArray[np.float64], precision: NDArray[np.float64], grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    place = np.searchsorted(recall, grid - 1e-9)
    padded = np.concatenate([envelope, np.zeros((len(envelope), 1))], axis=1)
    return padded[:, place]

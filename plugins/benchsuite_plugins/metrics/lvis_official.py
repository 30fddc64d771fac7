"""The ``lvis`` package itself, as the official scorer that LVIS's numbers are held against."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.coco_summary import summary
from benchsuite_plugins.metrics.lvis_protocol import LvisOptions, lvis_protocol
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import PrecisionRecall


class LvisOfficial:
    """``LVISEval``, as a ``benchsuite.protocols.OfficialScorer``.

    The summary is taken of its ``precision`` and ``recall`` as ours is: the package leaves means to
    NumPy, which sums in another order since version 2.3. As published, the package runs on versions
    before 1.24 alone, and numbers are published as those versions sum.

    Args:
        task: ``bbox`` or ``segm``.
        options: what is chosen otherwise.
    """

    def __init__(self, task: str, options: LvisOptions | None = None) -> None:
        self._task, self._options = task, options

    @property
    def evaluator(self) -> str:
        return f"lvis {version('lvis')}"

    def score(self, truth: Truth, predictions: Predictions) -> Scores:
        """The summary alone. Whatever the package raises is raised."""
        evaluated = self.evaluate(truth, predictions)
        category_ids = tuple(sorted({category.id for category in truth.categories}))
        protocol = lvis_protocol(self._task, truth.categories, self._options)
        header = MatchHeader(protocol, category_ids, self.evaluator)
        precision, recall = (evaluated.eval[name][..., None] for name in ("precision", "recall"))
        curves = PrecisionRecall(header, precision, recall, np.full_like(precision, -1.0))
        return Scores(summary(curves))

    def evaluate(self, truth: Truth, predictions: Predictions) -> Any:
        """The package's own ``LVISEval`` after ``accumulate()``, of the images that were run."""
        with _quiet():
            from lvis import LVIS, LVISResults

            lvis_truth = LVIS.__new__(LVIS)  # its constructor takes nothing but a path
            lvis_truth.logger = logging.getLogger("lvis.lvis")
            lvis_truth.dataset = _dataset(truth)
            lvis_truth._create_index()
            protocol = lvis_protocol(self._task, truth.categories, self._options)
            results = LVISResults(
                lvis_truth, _results(predictions.instances), max_dets=protocol.most_detections
            )
            evaluation = _eval_module().LVISEval(lvis_truth, results, self._task)
            parameters = evaluation.params
            parameters.img_ids = sorted(predictions.images["image_id"].to_pylist())
            parameters.iou_thrs = np.array(protocol.iou_thresholds)
            parameters.area_rng = [list(area_range) for area_range in protocol.area_ranges]
            parameters.area_rng_lbl = list(protocol.areas)
            evaluation.evaluate()
            evaluation.accumulate()
        return evaluation


def bbox(options: LvisOptions | None = None) -> LvisOfficial:
    """AP of boxes."""
    return LvisOfficial("bbox", options)


def segm(options: LvisOptions | None = None) -> LvisOfficial:
    """AP of masks."""
    return LvisOfficial("segm", options)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the package's messages, and without the handler that importing it adds to logging."""
    root, own = logging.getLogger(), logging.getLogger("lvis")
    handlers, level = list(root.handlers), own.level
    own.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.handlers[:] = handlers
        own.setLevel(level)


class _NumPyWithFloat:
    """NumPy as the package knows it: with ``np.float``, which versions from 1.24 on lack."""

    float = float

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _eval_module() -> ModuleType:
    """The package's module ``eval``, a copy of it alone given the NumPy it expects."""
    spec = importlib.util.find_spec("lvis.eval")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("the lvis package has no module lvis.eval")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.np = _NumPyWithFloat()  # type: ignore[attr-defined]
    return module


def _dataset(truth: Truth) -> dict[str, Any]:
    """The content of an LVIS annotation file."""
    images = [
        _without_nulls(
            {
                "id": row["image_id"],
                "height": row["height"],
                "width": row["width"],
                "neg_category_ids": row["negative_category_ids"],
                "not_exhaustive_category_ids": row["not_exhaustive_category_ids"],
            }
        )
        for row in truth.images.to_pylist()
    ]
    annotations = [
        _without_nulls(
            {
                "id": row["annotation_id"],
                "image_id": row["image_id"],
                "category_id": row["category_id"],
                "area": row["area"],
                "bbox": row["bbox"],
                "segmentation": row["segmentation"],
                "ignore": row["difficult"],
            }
        )
        for row in truth.instances.to_pylist()
    ]
    categories = [
        {"id": category.id, "name": category.name, "frequency": category.frequency}
        for category in truth.categories
    ]
    return {"images": images, "annotations": annotations, "categories": categories}


def _results(instances: pa.Table) -> list[dict[str, Any]]:
    """The content of a results file, in file order."""
    return [
        _without_nulls(
            {name: row[name] for name in ("image_id", "category_id", "score")}
            | {name: row[name] for name in ("bbox", "segmentation")}
        )
        for row in instances.sort_by("prediction").to_pylist()
    ]


def _without_nulls(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}

"""pycocotools itself, as the official scorer that COCO's numbers are held against."""

from __future__ import annotations

import contextlib
import io
from importlib.metadata import version
from typing import Any

import numpy as np

from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.coco_options import CocoOptions
from benchsuite_plugins.metrics.coco_protocol import (
    EVERY_CATEGORY,
    CocoProtocol,
    detection_protocol,
    keypoint_protocol,
)
from benchsuite_plugins.metrics.coco_summary import summary
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import PrecisionRecall
from benchsuite_plugins.metrics.scored_shapes import FIELDS


class CocoOfficial:
    """``COCOeval``, as a ``benchsuite.protocols.OfficialScorer``.

    The summary is taken of its ``precision`` and ``recall`` as ours is: pycocotools leaves means to
    NumPy, which sums in another order since version 2.3 (see ``coco_summary``), and its
    ``summarize`` takes no more than the protocol's own parameters.

    Args:
        protocol: thresholds, area ranges and summary.
        options: what is chosen otherwise.
    """

    def __init__(self, protocol: CocoProtocol, options: CocoOptions | None = None) -> None:
        self._options = options or CocoOptions()
        self._protocol = self._options.applied(protocol)

    @property
    def evaluator(self) -> str:
        return f"pycocotools {version('pycocotools')}"

    def score(self, truth: Truth, predictions: Predictions) -> Scores:
        """The summary alone. Whatever pycocotools raises is raised."""
        ids = sorted({category.id for category in truth.categories})
        if not self._options.use_categories:
            ids = [EVERY_CATEGORY]
        elif self._options.category_ids:
            ids = sorted(self._options.category_ids)
        header = MatchHeader(self._protocol, tuple(ids), self.evaluator)
        evaluated = self.evaluate(truth, predictions).eval
        curves = PrecisionRecall(
            header, evaluated["precision"], evaluated["recall"], evaluated["scores"]
        )
        return Scores(summary(curves))

    def evaluate(self, truth: Truth, predictions: Predictions) -> Any:
        """pycocotools' own ``COCOeval`` after ``accumulate()``, of the images that were run."""
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        with contextlib.redirect_stdout(io.StringIO()):
            coco_truth = COCO()
            coco_truth.dataset = _dataset(truth)
            coco_truth.createIndex()
            results = _results(predictions)
            if results:
                coco_results = coco_truth.loadRes(results)
            else:  # loadRes fails on an empty list; the evident result is that of no detections
                coco_results = COCO()
                coco_results.dataset = {**coco_truth.dataset, "annotations": []}
                coco_results.createIndex()
            evaluator = COCOeval(coco_truth, coco_results, self._protocol.task)
            self._set(evaluator.params, truth, predictions)
            evaluator.evaluate()
            evaluator.accumulate()
        return evaluator

    def _set(self, parameters: Any, truth: Truth, predictions: Predictions) -> None:
        protocol, options = self._protocol, self._options
        parameters.imgIds = sorted(predictions.images["image_id"].to_pylist())
        parameters.useCats = int(options.use_categories)
        if options.category_ids:
            parameters.catIds = sorted(options.category_ids)
        parameters.iouThrs = np.array(protocol.iou_thresholds)
        parameters.recThrs = np.array(protocol.recalls)
        parameters.maxDets = list(protocol.max_detections)
        parameters.areaRng = [list(area_range) for area_range in protocol.area_ranges]
        parameters.areaRngLbl = list(protocol.areas)
        layout = options.layout(truth.keypoints)
        if protocol.task == "keypoints" and layout is not None:
            parameters.kpt_oks_sigmas = np.array(layout.sigmas)


def bbox(options: CocoOptions | None = None) -> CocoOfficial:
    """AP of boxes."""
    return CocoOfficial(detection_protocol("bbox"), options)


def segm(options: CocoOptions | None = None) -> CocoOfficial:
    """AP of masks."""
    return CocoOfficial(detection_protocol("segm"), options)


def keypoints(options: CocoOptions | None = None) -> CocoOfficial:
    """AP of keypoints."""
    return CocoOfficial(keypoint_protocol(), options)


def _dataset(truth: Truth) -> dict[str, Any]:
    """The content of a COCO annotation file."""
    images = [
        {"id": row["image_id"], "height": row["height"], "width": row["width"]}
        for row in truth.images.select(["image_id", "height", "width"]).to_pylist()
    ]
    fields = ["image_id", "category_id", "area", "iscrowd", "num_keypoints", *FIELDS.values()]
    annotations = [
        {"id": row.pop("annotation_id"), **_there(row), "iscrowd": int(row["iscrowd"])}
        for row in truth.instances.select(["annotation_id", *fields]).to_pylist()
    ]
    categories = [{"id": each.id, "name": each.name} for each in truth.categories]
    return {"images": images, "annotations": annotations, "categories": categories}


def _results(predictions: Predictions) -> list[dict[str, Any]]:
    """The content of a COCO results file."""
    fields = ["image_id", "category_id", "score", *FIELDS.values()]
    ordered = predictions.instances.sort_by("prediction").select(fields)
    return [_there(row) for row in ordered.to_pylist()]


def _there(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}

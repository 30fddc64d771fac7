"""COCO's evaluation of detections, called as pycocotools' is."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from benchsuite.coco.accumulation import curves_of_entries, curves_of_rows
from benchsuite.coco.entries import all_entries
from benchsuite.coco.image_evaluation import Entry, by_score, image_entry
from benchsuite.coco.matching import Matching
from benchsuite.coco.params import Params
from benchsuite.coco.records import Record
from benchsuite.coco.rows import RecordRows, Rows
from benchsuite.coco.sides import evaluated_records, scanned_rows
from benchsuite.coco.similarity import keypoint_similarity, shape_overlaps
from benchsuite.coco.summary import summarize
from benchsuite.errors import UsageError
from benchsuite_kernels.columns.match_arrays import Matches

_STEPS = ("_prepare", "computeIoU", "computeOks", "evaluateImg")
"""Methods that a subclass may replace; ``evaluate`` then goes image by image, through them."""


class COCOeval:
    """AP and AR of boxes, masks or keypoints: ``evaluate()``, ``accumulate()``, ``summarize()``.

    To the bit what pycocotools' class of the same name computes, prints and leaves in its
    attributes. ``evaluate`` matches everything at once; ``evalImgs`` and ``ious`` are made when
    they are first looked at.

    Args:
        cocoGt: the truth, a ``COCO`` (or pycocotools').
        cocoDt: the detections, from its ``loadRes``.
        iouType: ``bbox``, ``segm`` or ``keypoints``.

    Attributes:
        params: what is evaluated, see ``Params``; preset to all images and categories.
        evalImgs: by category, area range and image: an entry (see ``image_entry``), or ``None``
            where there is neither truth nor detection. May be set: ``accumulate`` reads it.
        ious: (image id, category id) to the overlaps of detections (by score) and truths.
        eval: after ``accumulate``: ``precision`` and ``scores`` (T, R, K, A, M), ``recall``
            (T, K, A, M), -1 where there is no truth; ``params``, ``counts``, ``date``.
        stats: after ``summarize``: its numbers.
    """

    def __init__(self, cocoGt: Any = None, cocoDt: Any = None, iouType: str = "segm") -> None:
        if not iouType:
            print("iouType not specified. use default iouType segm")
        self.cocoGt, self.cocoDt = cocoGt, cocoDt
        self.params = Params(iouType=iouType)
        self.eval: dict[str, Any] = {}
        self.stats: Any = []
        self._paramsEval: Any = {}
        self._sources: tuple[Any, ...] = ()
        self._matching: Matching | None = None
        self._matches: list[tuple[int, Matches]] = []
        self._evaluated = [], []
        self.evalImgs = defaultdict(list)
        self.ious = {}
        if cocoGt is not None:
            self.params.imgIds = sorted(cocoGt.getImgIds())
            self.params.catIds = sorted(cocoGt.getCatIds())

    # --- evaluate -----------------------------------------------------------------------------

    def evaluate(self) -> None:
        """Match the detections of ``params``.

        Raises:
            InputError: a record lacks what is evaluated, or holds a malformed one.
        """
        start = time.time()
        print("Running per image evaluation...")
        params = self.params
        if params.useSegm is not None:
            params.iouType = "segm" if params.useSegm == 1 else "bbox"
            print(f"useSegm (deprecated) is not None. Running {params.iouType} evaluation")
        print(f"Evaluate annotation type *{params.iouType}*")
        params.imgIds = list(np.unique(params.imgIds))
        if params.useCats:
            params.catIds = list(np.unique(params.catIds))
        params.maxDets = sorted(params.maxDets)
        if not params.maxDets:
            raise UsageError("params.maxDets is empty: no detections count")
        self._paramsEval = copy.deepcopy(params)
        self._forget(self.cocoGt, self.cocoDt)
        if self._replaces_steps():
            self._prepare()
            self._evaluate_by_steps()
        else:
            self._evaluate_at_once()
        print(f"DONE (t={time.time() - start:0.2f}s).")

    def _replaces_steps(self) -> bool:
        """Whether a subclass has methods of its own that an image is evaluated by."""
        return any(getattr(type(self), name) is not getattr(COCOeval, name) for name in _STEPS)

    def _evaluate_at_once(self) -> None:
        sides: list[Rows] = []
        for which, coco in enumerate(self._sources):
            scanned = scanned_rows(coco, self._paramsEval, truths=which == 0)
            sides.append(RecordRows(self._evaluated[which]) if scanned is None else scanned)
        truths, detections = sides
        if any(not identity > 0 for identity in detections.values("id")):
            # pycocotools leaves a truth free where what it is matched by has no id above 0.
            self._evaluate_by_steps()
        else:
            self._matching = Matching.of(truths, detections, self._paramsEval)
            self._matches = self._matching.matches()

    def _evaluate_by_steps(self) -> None:
        """Image by image, through the methods that a subclass may replace."""
        params = self.params
        categories = params.catIds if params.useCats else [-1]
        overlaps = self.computeOks if params.iouType == "keypoints" else self.computeIoU
        self.ious = {
            (image, category): overlaps(image, category)
            for image in params.imgIds
            for category in categories
        }
        self.evalImgs = [
            self.evaluateImg(image, category, area, params.maxDets[-1])
            for category in categories
            for area in params.areaRng
            for image in params.imgIds
        ]

    def _prepare(self) -> None:
        """Sets ``_gts`` and ``_dts``: (image id, category id) to records, in file order."""
        self._forget(self.cocoGt, self.cocoDt)
        self._evaluated = self._records(self.params)
        self.evalImgs, self.eval = defaultdict(list), {}

    def _forget(self, *sources: Any) -> None:
        """Forget what was made of an evaluation; that of ``sources`` comes next."""
        if any(source is None for source in sources):
            raise UsageError("COCOeval needs cocoGt and cocoDt before it evaluates")
        self._sources, self._matching = sources, None
        for name in ("_evaluated", "_gts", "_dts", "evalImgs", "ious"):
            self.__dict__.pop(name, None)

    def _records(self, params: Params) -> tuple[list[Record], list[Record]]:
        truths, detections = self._sources
        return (
            evaluated_records(truths, params, truths=True),
            evaluated_records(detections, params, truths=False),
        )

    @cached_property
    def _evaluated(self) -> tuple[list[Record], list[Record]]:
        return self._records(self._paramsEval)

    @cached_property
    def _gts(self) -> defaultdict[Any, list[Record]]:
        return _grouped(self._evaluated[0])

    @cached_property
    def _dts(self) -> defaultdict[Any, list[Record]]:
        return _grouped(self._evaluated[1])

    # --- one image and category ---------------------------------------------------------------

    def computeIoU(self, imgId: Any, catId: Any) -> Any:
        """(D, G) IoU of boxes or masks, detections by score; ``[]`` where a side is empty."""
        return self._iou(self.params, imgId, catId)

    def computeOks(self, imgId: Any, catId: Any) -> Any:
        """(D, G) similarity of keypoints, detections by score; ``[]`` where a side is empty."""
        return self._oks(self.params, imgId, catId)

    def evaluateImg(
        self, imgId: Any, catId: Any, aRng: Sequence[float], maxDet: int
    ) -> Entry | None:
        """The entry of ``evalImgs`` of an image, category and area range, by ``ious``."""
        truths, detections = self._records_of(self.params, imgId, catId)
        if not truths and not detections:
            return None
        counted, overlaps = by_score(detections, maxDet), self.ious[imgId, catId]
        entry = image_entry(truths, counted, overlaps, self.params.iouThrs, aRng)
        return {"image_id": imgId, "category_id": catId, "aRng": aRng, "maxDet": maxDet, **entry}

    def _iou(self, params: Params, image: Any, category: Any) -> Any:
        truths, detections = self._records_of(params, image, category)
        if params.iouType not in ("bbox", "segm"):
            raise UsageError(f"computeIoU() is for boxes and masks, not {params.iouType!r}")
        if not truths and not detections:
            return []
        field = "bbox" if params.iouType == "bbox" else "segmentation"
        return shape_overlaps(truths, by_score(detections, params.maxDets[-1]), field)

    def _oks(self, params: Params, image: Any, category: Any) -> Any:
        detections = by_score(self._dts[image, category], params.maxDets[-1])
        return keypoint_similarity(self._gts[image, category], detections, params.kpt_oks_sigmas)

    def _records_of(
        self, params: Params, image: Any, category: Any
    ) -> tuple[list[Record], list[Record]]:
        """The truths and detections of an image and (if categories count) a category."""
        if params.useCats:
            return self._gts[image, category], self._dts[image, category]
        return (
            [truth for one in params.catIds for truth in self._gts[image, one]],
            [detection for one in params.catIds for detection in self._dts[image, one]],
        )

    # --- all of them, made when looked at -----------------------------------------------------

    @cached_property
    def ious(self) -> Any:
        params = self._paramsEval
        overlaps = self._oks if params.iouType == "keypoints" else self._iou
        return {
            (image, category): overlaps(params, image, category)
            for image in params.imgIds
            for category in (params.catIds if params.useCats else [-1])
        }

    @cached_property
    def evalImgs(self) -> Any:
        return [] if self._matching is None else all_entries(self._matching)

    # --- accumulate and summarize -------------------------------------------------------------

    def accumulate(self, p: Params | None = None) -> None:
        """Make precision and recall of the matches, into ``eval``.

        Args:
            p: parameters to accumulate by, in place of ``params``.

        Raises:
            UsageError: nothing was evaluated, or not what the parameters ask for.
        """
        print("Accumulating evaluation results...")
        start = time.time()
        if not self._paramsEval:
            raise UsageError("nothing was evaluated; call evaluate() before accumulate()")
        params = self.params if p is None else p
        params.catIds = params.catIds if params.useCats == 1 else [-1]
        categories = len(params.catIds) if params.useCats else 1
        if not self._has_entries():
            print("Please run evaluate() first")
        if "evalImgs" not in self.__dict__ and self._matching is not None and self._fits(params):
            chunks = [(count, self._matching.rows(found)) for count, found in self._matches]
            curves = curves_of_rows(chunks, params, categories)
        else:
            curves = curves_of_entries(self.evalImgs, self._paramsEval, params, categories)
        self.eval = {
            "params": params,
            "counts": [
                len(params.iouThrs),
                len(params.recThrs),
                categories,
                len(params.areaRng),
                len(params.maxDets),
            ],
            "date": datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
            "precision": curves.precision,
            "recall": curves.recall,
            "scores": curves.scores,
        }
        print(f"DONE (t={time.time() - start:0.2f}s).")

    def _has_entries(self) -> bool:
        if "evalImgs" in self.__dict__:
            return len(self.evalImgs) > 0
        evaluated = self._paramsEval
        categories = evaluated.catIds if evaluated.useCats else [-1]
        return all(len(axis) > 0 for axis in (categories, evaluated.areaRng, evaluated.imgIds))

    def _fits(self, params: Params) -> bool:
        """Whether the matches are just those that the parameters ask for."""
        evaluated = self._paramsEval
        categories = evaluated.catIds if evaluated.useCats else [-1]
        return (
            list(params.catIds) == list(categories)
            and list(params.imgIds) == list(evaluated.imgIds)
            and [*map(tuple, params.areaRng)] == [*map(tuple, evaluated.areaRng)]
            and len(params.iouThrs) == len(evaluated.iouThrs)
            and set(params.maxDets) <= set(evaluated.maxDets)
        )

    def summarize(self) -> None:
        """Print the summary, and keep its numbers in ``stats``: see ``summary.summarize``."""
        if not self.eval:
            raise UsageError("nothing was accumulated; call accumulate() before summarize()")
        self.stats = summarize(self.params, self.eval)


def _grouped(records: Iterable[Record]) -> defaultdict[Any, list[Record]]:
    groups = defaultdict(list)
    for record in records:
        groups[record["image_id"], record["category_id"]].append(record)
    return groups

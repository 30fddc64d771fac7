"""The truths and detections that ``COCOeval`` evaluates, from its two ``COCO`` objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchsuite.coco.coco import COCO
from benchsuite.coco.file_rows import FileRows
from benchsuite.coco.params import Params
from benchsuite.coco.records import Record, values

_QUERIES = ("getAnnIds", "loadAnns", "annToRLE")
"""Methods that records are asked for by."""


def evaluated_records(coco: Any, params: Params, *, truths: bool) -> list[Record]:
    """The records of the images and, if categories count, categories of ``params``.

    As in pycocotools, what the evaluation needs is set in place: RLE as ``segmentation`` where
    masks are evaluated, ``ignore`` of truths.

    Args:
        coco: a ``COCO`` object, or pycocotools'.
        truths: whether they are truths.
    """
    records: list[Record] = []
    if len(params.imgIds):
        records = coco.loadAnns(coco.getAnnIds(imgIds=params.imgIds))
    if params.useCats:
        wanted, categories = set(params.catIds), values(records, "category_id")
        records = [one for one, category in zip(records, categories) if category in wanted]
    if params.iouType == "segm":
        for record in records:
            record["segmentation"] = coco.annToRLE(record)
    if truths:
        for truth in records:
            crowd = truth.setdefault("iscrowd", 0)
            truth["ignore"] = (params.iouType == "keypoints" and not _visible(truth)) or crowd
    return records


def scanned_rows(coco: Any, params: Params, *, truths: bool) -> FileRows | None:
    """All rows of a file of which no records were made yet; ``None`` where records are needed."""
    if not isinstance(coco, COCO):
        return None
    if any(getattr(type(coco), name) is not getattr(COCO, name) for name in _QUERIES):
        return None
    rows = coco.scanned_rows()
    if rows is None or not rows.serves(params.iouType, scored=not truths):
        return None
    return rows.with_ignored(params.iouType) if truths else rows


def _visible(truth: Record) -> int:
    """The number of visible keypoints."""
    if "num_keypoints" in truth:
        return int(truth["num_keypoints"])
    return int(np.count_nonzero(np.array(truth.get("keypoints", [])[2::3]) > 0))

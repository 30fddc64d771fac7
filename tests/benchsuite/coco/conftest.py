"""Both sides of every comparison: pycocotools and the drop-in, over the same records."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import pytest

import benchsuite.coco.coco
import benchsuite.coco.cocoeval


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, and what it printed, its times left out."""

    evaluation: Any
    printed: str


def evaluate(
    coco: ModuleType,
    cocoeval: ModuleType,
    truth: Mapping[str, Any],
    detections: Any,
    task: str,
    params: Mapping[str, Any],
    folder: Path | None = None,
) -> Evaluated:
    """Evaluates records, or (where a folder is given) files of them."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if folder is None:
            annotations = coco.COCO()
            annotations.dataset = copy.deepcopy(dict(truth))
            annotations.createIndex()
            found = copy.deepcopy(detections)
        else:
            annotations = coco.COCO(written(truth, folder / "truth.json"))
            found = written(detections, folder / "detections.json")
        if len(detections) or coco is benchsuite.coco.coco:
            results = annotations.loadRes(found)
        else:  # of which pycocotools makes no results
            results = coco.COCO()
            results.dataset = {"annotations": []}
        evaluation = cocoeval.COCOeval(annotations, results, task)
        for name, value in params.items():
            setattr(evaluation.params, name, copy.deepcopy(value))
        evaluation.evaluate()
        evaluation.accumulate()
        if task == "keypoints" or len(evaluation.params.maxDets) >= 3:
            evaluation.summarize()
    return Evaluated(evaluation, re.sub(r"t=[0-9.]+s", "t=", out.getvalue()))


def written(content: Any, path: Path) -> str:
    path.write_text(json.dumps(content, default=lambda value: value.decode()))
    return str(path)


def assert_same_arrays(ours: Any, theirs: Any, name: str) -> None:
    """Equal to the bit, NaN in the same places; of one shape and dtype."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, name
    assert ours.dtype == theirs.dtype, name
    np.testing.assert_array_equal(ours, theirs, err_msg=name)


def assert_same_entries(ours: Any, theirs: Any) -> None:
    """Equal ``evalImgs``, values and types."""
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs):
        assert (mine is None) == (other is None)
        if mine is None:
            continue
        assert mine.keys() == other.keys()
        for name, value in other.items():
            assert type(mine[name]) is type(value), name
            assert_same_arrays(mine[name], value, name)


def assert_same(ours: Any, theirs: Any) -> None:
    """Equal evaluations: curves, summary, entries, overlaps."""
    for name in ("precision", "recall", "scores"):
        assert_same_arrays(ours.eval[name], theirs.eval[name], name)
    assert ours.eval["counts"] == theirs.eval["counts"]
    assert_same_arrays(ours.stats, theirs.stats, "stats")
    assert_same_entries(ours.evalImgs, theirs.evalImgs)
    assert ours.ious.keys() == theirs.ious.keys()
    for key, overlaps in theirs.ious.items():
        assert_same_arrays(ours.ious[key], overlaps, "ious")
    # The entries alone lead to the same curves as the matches did.
    with contextlib.redirect_stdout(io.StringIO()):
        ours.accumulate()
    for name in ("precision", "recall", "scores"):
        assert_same_arrays(ours.eval[name], theirs.eval[name], name)


@pytest.fixture(scope="session")
def same_as_pycocotools(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Asserts that both sides make, print and leave the same of some records, and ours of their
    files too."""
    folder = tmp_path_factory.mktemp("coco")

    def check(
        truth: Mapping[str, Any], detections: Any, task: str, params: Mapping[str, Any]
    ) -> None:
        arguments = (truth, detections, task, params)
        theirs = evaluate(pycocotools.coco, pycocotools.cocoeval, *arguments)
        ours = evaluate(benchsuite.coco.coco, benchsuite.coco.cocoeval, *arguments)
        if len(detections):
            assert ours.printed == theirs.printed
        assert_same(ours.evaluation, theirs.evaluation)
        of_files = evaluate(benchsuite.coco.coco, benchsuite.coco.cocoeval, *arguments, folder)
        assert_same(of_files.evaluation, theirs.evaluation)

    return check

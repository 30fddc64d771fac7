"""What the inference benchmark says of two sides, and which cases it has; no model is built."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchsuite.execution import Execution

BOXES = [[0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 40.0, 30.0]]


@pytest.fixture
def modules(repository: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    names = {"inference": "inference", "cases": "inference_cases.cases"}
    return SimpleNamespace(**{key: importlib.import_module(name) for key, name in names.items()})


def found(boxes: list[list[float]], scores: list[float]) -> dict[str, list[object]]:
    return {"boxes": boxes, "scores": scores}


def test_agreement_matches_boxes_in_any_order(modules: SimpleNamespace) -> None:
    case = modules.cases.CASES["mask_rcnn_R_50_FPN"]
    ours, theirs = found(BOXES, [0.9, 0.5]), found(BOXES[::-1], [0.25, 0.9])
    told = modules.inference.agreement(case, ours, theirs)
    assert told == {"agreeing": 1.0, "iou": 1.0, "score_off": 0.25}


def test_float32_has_to_agree_and_half_precision_to_say(modules: SimpleNamespace) -> None:
    ours = found(BOXES, [0.9, 0.5])
    theirs = found([BOXES[0], [20.0, 20.0, 40.0, 34.0]], [0.9, 0.5])
    with pytest.raises(AssertionError):
        modules.inference.agreement(modules.cases.CASES["retinanet_R_50_FPN"], ours, theirs)
    half = modules.cases.CASES["retinanet_R_50_FPN/bf16"]
    assert modules.inference.agreement(half, ours, theirs)["agreeing"] == 0.5


def test_four_executions_are_measured(modules: SimpleNamespace) -> None:
    cases = modules.cases.CASES
    for name in ("mask_rcnn", "retinanet", "keypoint_rcnn", "panoptic_fpn"):
        (plain,) = (
            each for each in modules.cases.PLAIN if each in (f"{name}_R_50_FPN", f"{name}_R_50")
        )
        assert cases[plain].execution == Execution()
        assert cases[f"{plain}/compiled"].execution == Execution(compile=True)
        assert cases[f"{plain}/bf16"].execution == Execution("bf16")
        assert cases[f"{plain}/bf16_compiled"].execution == Execution("bf16", compile=True)

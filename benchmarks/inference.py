"""Whole detectors of published size on the CPU, from an image of 800 x 1333 to a prediction.

    python benchmarks/inference.py --json FILE     one table, ours and theirs taking turns
    pytest benchmarks/inference.py                 the same cases under pytest-benchmark

    PYTHONPATH=/path/to/detectron2 python benchmarks/inference.py --json FILE

Ours loads a Detectron2-format ``.pkl`` of the recipe's shapes, strictly; the peer is torchvision's
model of the same architecture and as many classes. Weights are random, but norms are calibrated on
the image and the last layers scaled, by the same rule on both sides, so that about 100 detections
of different scores come out. Detectron2, where it is found, reads the checkpoint of ours and must
find the same; it need not be built. Each model runs in a process of its own, whose peak memory
counts. Needs Linux, which tells that peak.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from inference_cases.cases import CASES, Case
from inference_cases.process import serving
from measuring.sides import Sample, Side
from measuring.suite import Suite
from measuring.table import Column
from torchvision.ops import box_iou

LEAST_DETECTIONS = 80  # fewer, and the heads would have had little to do
MEASURED = ("cpu_s", "load_s", "peak_mib", "detections")


@cache
def checkpoints() -> tempfile.TemporaryDirectory[str]:
    """For as long as this process lives."""
    return tempfile.TemporaryDirectory()


@contextmanager
def opened(name: str, threads: int) -> Iterator[Mapping[str, Side]]:
    case = CASES[name]
    names = {"ours": "ours", "peer": f"torchvision {case.peer}", "detectron2": "detectron2"}
    with ExitStack() as stack:
        folder = Path(checkpoints().name)
        processes = {
            side: stack.enter_context(serving(name, side, threads, folder)) for side in case.sides
        }
        first = {side: process.ask() for side, process in processes.items()}
        for side, reply in first.items():
            assert len(reply["boxes"]) >= LEAST_DETECTIONS, f"{side} found {len(reply['boxes'])}"
        yield {
            names[side]: with_agreement(
                process.side(*MEASURED), agreement(case, first["ours"], first[side])
            )
            if has_weights_of_ours(case, side)
            else process.side(*MEASURED)
            for side, process in processes.items()
        }


def has_weights_of_ours(case: Case, side: str) -> bool:
    return side == "detectron2" or (side == "peer" and case.same_weights)


def agreement(
    case: Case, ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> Mapping[str, float]:
    """How many of our objects a peer of the same weights found too, at an IoU of at least 0.9, and
    the mean IoU and the largest difference of scores among these.

    In float32 these must be 95 in a hundred: a score's last bit may turn one suppression around.
    """
    overlap = box_iou(torch.tensor(ours["boxes"]), torch.tensor(theirs["boxes"]))
    scores = torch.tensor(ours["scores"])[:, None] - torch.tensor(theirs["scores"])
    # Objects of several classes may share a box: the score tells which is which.
    off, match = scores.abs().where(overlap >= 0.9, torch.inf).min(dim=1)
    same = off.isfinite()
    iou = overlap.gather(1, match[:, None])[:, 0]
    if case.execution.precision == "fp32":
        assert same.float().mean() >= 0.95, iou.sort().values[:10]
    return {
        "agreeing": float(same.float().mean()),
        "iou": float(iou[same].mean()),
        "score_off": float(off[same].max()) if same.any() else float("nan"),
    }


def with_agreement(side: Side, found: Mapping[str, float]) -> Side:
    """The side, whose samples tell how far it agrees with ours."""

    def sample() -> Sample:
        taken = side.sample()
        return replace(taken, more={**taken.more, **found})

    return Side(side.call, sample)


SUITE = Suite(
    __doc__,
    {name: partial(opened, name) for name, case in CASES.items() if case.available},
    rounds=3,
    columns=(
        Column("ours CPU s", "ours_cpu_s", ".2f"),
        Column("its CPU s", "peer_cpu_s", ".2f"),
        Column("ours MiB", "ours_peak_mib", ".0f"),
        Column("its MiB", "peer_peak_mib", ".0f"),
        Column("load s", "ours_load_s", ".1f"),
        Column("objects", "ours_detections", ".0f"),
        Column("its objects", "peer_detections", ".0f"),
        Column("agreeing", "peer_agreeing", ".0%"),
        Column("score off", "peer_score_off", ".1e"),
    ),
    peers=2,
    calls=3,
)

pytest_generate_tests, test_side = SUITE.tests()

if __name__ == "__main__":
    SUITE.script().main()

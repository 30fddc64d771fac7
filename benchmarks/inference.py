"""Whole detectors of published size on the CPU, from an image of 800 x 1333 to a prediction.

    python benchmarks/inference.py --json FILE     one table, ours and theirs taking turns
    pytest benchmarks/inference.py                 the same cases under pytest-benchmark

Ours loads a Detectron2-format ``.pkl`` of the recipe's shapes, strictly; the peer is torchvision's
model of the same architecture and as many classes. Weights are random, but norms are calibrated on
the image and the last layers scaled, by the same rule on both sides, so that about 100 detections
of different scores come out. Each model runs in a process of its own, whose peak memory counts.
Needs Linux, which tells that peak.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from inference_cases.cases import CASES, Case
from inference_cases.process import serving
from measuring.sides import Side
from measuring.suite import Suite
from measuring.table import Column

LEAST_DETECTIONS = 80  # fewer, and the heads would have had little to do
MEASURED = ("load_s", "peak_mib", "detections")


@cache
def checkpoints() -> tempfile.TemporaryDirectory[str]:
    """For as long as this process lives."""
    return tempfile.TemporaryDirectory()


@contextmanager
def opened(name: str, threads: int) -> Iterator[Mapping[str, Side]]:
    case = CASES[name]
    names = {"ours": "ours", "peer": f"torchvision {case.peer}"}
    with ExitStack() as stack:
        folder = Path(checkpoints().name)
        processes = {
            side: stack.enter_context(serving(name, side, threads, folder)) for side in case.sides
        }
        check(case, {side: process.ask() for side, process in processes.items()})
        yield {names[side]: process.side(*MEASURED) for side, process in processes.items()}


def check(case: Case, first: Mapping[str, dict[str, Any]]) -> None:
    """Both found enough; the same, where they have the same weights and conventions."""
    for side, reply in first.items():
        assert len(reply["boxes"]) >= LEAST_DETECTIONS, f"{side} found {len(reply['boxes'])}"
    if case.same_weights:
        ours, theirs = (
            np.column_stack([first[side]["boxes"], first[side]["scores"]]) for side in case.sides
        )
        away = np.abs(ours[:, None] - theirs).max(axis=2).min(axis=1)
        # A score's last bit may turn one suppression around.
        assert (away < 0.05).mean() > 0.95, np.sort(away)[-10:]


SUITE = Suite(
    __doc__,
    {name: partial(opened, name) for name, case in CASES.items() if case.available},
    rounds=3,
    columns=(
        Column("ours MiB", "ours_peak_mib", ".0f"),
        Column("its MiB", "peer_peak_mib", ".0f"),
        Column("load s", "ours_load_s", ".1f"),
        Column("objects", "ours_detections", ".0f"),
        Column("its objects", "peer_detections", ".0f"),
    ),
    calls=3,
)

pytest_generate_tests, test_side = SUITE.tests()

if __name__ == "__main__":
    SUITE.script().main()

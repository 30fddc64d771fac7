"""The operators' CUDA sources under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite_kernels.cuda.emulation import build
from benchsuite_kernels.cuda.emulation.order import VARIABLE

OPERATORS = Path(__file__).parents[1] / "ops"

LARGE = ("hundred_thousand", "chunk", "any_", "knows", "exact_arithmetic", "pixel_by_pixel")
"""Tests that take seconds, in whose place others run the same kernels."""


def test_every_operator_runs_in_bounds_and_in_any_order() -> None:
    runtime = build.sanitizer_runtime()
    if runtime is None:
        pytest.skip("the compiler has no address sanitizer")
    environment = {
        "LD_PRELOAD": runtime,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        build.VARIABLE: "address",
        VARIABLE: "shuffled:5",
    }
    chosen = f"emulated and not ({' or '.join(LARGE)})"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-s", "-k", chosen, str(OPERATORS)],
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        | environment,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout

"""Which installations of CuPy are used, and what is said of the others."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
import torch

from benchsuite_kernels import dispatch, reset_served, served
from benchsuite_kernels.cuda import availability
from benchsuite_kernels.cuda.availability import cuda_problem
from benchsuite_kernels.ops import batched_nms


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A machine with a GPU, torch for CUDA 13.0 and no CuPy, until the test changes it."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(availability, "_installed", lambda name: False)
    cuda_problem.cache_clear()
    yield monkeypatch
    cuda_problem.cache_clear()


@pytest.mark.parametrize(
    ("torch_cuda", "installed", "what"),
    [
        (None, ["cupy-cuda13x"], "this torch has no CUDA"),
        ("13.0", [], r"CuPy is not installed: pip install 'benchsuite\[cuda13\]'"),
        ("12.8", [], r"CuPy is not installed: pip install 'benchsuite\[cuda12\]'"),
        ("13.0", ["cupy-cuda12x"], "of CUDA 12, torch of CUDA 13: pip uninstall cupy-cuda12x, "),
        ("12.8", ["cupy-cuda13x"], "of CUDA 13, torch of CUDA 12: pip uninstall cupy-cuda13x, "),
        ("13.0", ["cupy-cuda12x", "cupy-cuda13x"], "twice: pip uninstall cupy-cuda12x cupy-cuda13"),
    ],
)
def test_cupy_that_does_not_fit_torch_is_refused_before_it_is_imported(
    machine: pytest.MonkeyPatch, torch_cuda: str | None, installed: list[str], what: str
) -> None:
    machine.setattr(torch.version, "cuda", torch_cuda)
    machine.setattr(availability, "_installed", lambda name: name in installed)
    machine.setitem(sys.modules, "cupy", None)  # an import fails, and would be told
    assert re.search(what, str(cuda_problem()))


def test_a_machine_without_a_device_and_one_whose_cupy_is_broken(
    machine: pytest.MonkeyPatch,
) -> None:
    machine.setattr(availability, "_installed", lambda name: name == "cupy-cuda13x")
    machine.setitem(sys.modules, "cupy", None)
    assert str(cuda_problem()).startswith("CuPy does not import: ModuleNotFoundError")
    cuda_problem.cache_clear()
    machine.setattr(torch.cuda, "is_available", lambda: False)
    assert cuda_problem() == "torch sees no CUDA device"


def test_required_kernels_make_a_reference_an_error() -> None:
    boxes, scores, groups = torch.zeros(1, 4), torch.zeros(1), torch.zeros(1, dtype=torch.int64)
    dispatch.require_kernels(True)
    try:
        with (
            dispatch.serving("reference"),
            pytest.raises(RuntimeError, match="no kernel serves batched_nms"),
        ):
            batched_nms(boxes, scores, groups, 0.5)
    finally:
        dispatch.require_kernels(False)
    reset_served()
    with dispatch.serving("reference"):
        batched_nms(boxes, scores, groups, 0.5)
    assert served() == {"batched_nms": "reference"}

"""Every test that takes ``implementation`` runs once for each that there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from zlib import crc32

import pytest
import torch

from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, VARIABLE, thread_order
from benchsuite_kernels.dispatch import native, serving
from benchsuite_kernels.ops.registration import WITH_CUDA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only a file ``test_<operator>*.py`` of an operator with CUDA kernels runs emulated."""

    def wanted(item: pytest.Item) -> bool:
        chosen = getattr(item, "callspec", None)
        if chosen is None or not item.path.is_relative_to(Path(__file__).parent):
            return True
        if chosen.params.get("implementation") != "emulated":
            return True
        subject = item.path.stem.removeprefix("test_")
        return any(subject.startswith(operator) for operator in WITH_CUDA)

    items[:] = [item for item in items if wanted(item)]


@pytest.fixture(params=["reference", "c++", "emulated"])
def implementation(request: pytest.FixtureRequest) -> Iterator[str]:
    """Operators are served by the implementation named, where they have it. Emulated threads run in
    an order that each test draws by its name, if none is asked for."""
    if request.param == "c++" and native() is None:
        pytest.skip("the extension is not built")
    if request.param == "emulated" and (problem := emulation_problem()):
        pytest.skip(problem)
    # Memory that torch gives begins with NaN: what a kernel forgets to write is seen.
    torch.use_deterministic_algorithms(request.param == "emulated", warn_only=True)
    orders = [(name, seed) for seed in range(3) for name in ORDERS]
    order = orders[crc32(request.node.name.encode()) % len(orders)]
    try:
        with (
            serving(request.param),
            nullcontext() if VARIABLE in os.environ else thread_order(*order),
        ):
            yield request.param
    finally:
        torch.use_deterministic_algorithms(False)

"""Every operator on the device against its reference in float64 on the CPU, outputs poisoned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from gpu_sections.operators import all_cases
from gpu_sections.operators.case import TOLERANCES, Case, Size, on_cpu, on_device
from gpu_sections.report import Column, Table
from gpu_sections.running import Context

SEEDS = {"small": (1, 2, 3), "full": (4,)}


def run(context: Context) -> Iterator[Table | str]:
    table = Table(
        "Correctness",
        (
            Column("name", "operator"),
            Column("dtype", "dtype"),
            Column("size", "size"),
            Column("error", "error", ".2g"),
            Column("tolerance", "tolerance", ".0e"),
            Column("result", "result"),
        ),
    )
    yield table
    yield "Errors are relative to the largest magnitude; of masks, the share of pixels that differ."
    wrong = 0
    for size in ("small",) if context.small else ("small", "full"):
        for case in all_cases():
            if isinstance(case, str):
                wrong += 1
                yield f"not imported: {case}"
                continue
            for dtype in case.dtypes:
                if context.late():
                    yield f"left out for lack of time: {case.name} at {size} size and what follows"
                    return
                wrong += not _check(case, dtype, size, context, table)
    if wrong:
        raise RuntimeError(f"{wrong} wrong; see the table")


def _check(case: Case, dtype: torch.dtype, size: str, context: Context, table: Table) -> bool:
    row: dict[str, Any] = {
        "name": case.name,
        "dtype": str(dtype).removeprefix("torch."),
        "size": size,
        "tolerance": TOLERANCES[dtype],
    }
    try:
        errors = [check(case, dtype, seed, Size(size == "full"), context) for seed in SEEDS[size]]
    except Exception as error:  # told in the table; other operators shall be checked too
        table.add(**row, result=f"{type(error).__name__}: {error}")
        return False
    table.add(**row, error=max(errors), result="right")
    return True


def check(case: Case, dtype: torch.dtype, seed: int, size: Size, context: Context) -> float:
    """The error of one result.

    Raises:
        MismatchError: it is wrong.
    """
    inputs = case.draw(seed, dtype, size)
    expected = reference_of(case, inputs)
    with poisoned():
        actual = case.ours(*on_device(inputs, context.device.torch_device))
        context.device.synchronize()
    return case.compare(actual, expected, inputs, TOLERANCES[dtype])


def reference_of(case: Case, inputs: Any) -> Any:
    from benchsuite_kernels.dispatch import serving

    with serving("reference"):
        return case.ours(*on_cpu(inputs, case.expected))


@contextmanager
def poisoned() -> Iterator[None]:
    """Uninitialised memory of torch holds NaN, and the largest integers, in here."""
    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
        torch.utils.deterministic.fill_uninitialized_memory = filled

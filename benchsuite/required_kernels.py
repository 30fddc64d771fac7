"""Kernels as a condition of a run: what ``--require-kernels`` asks for."""

from __future__ import annotations

from collections.abc import Mapping

import benchsuite_kernels
from benchsuite.errors import KernelError

KERNELS = ("c++", "cuda")
"""What ``benchsuite_kernels.served`` calls them; anything else is slower."""


def check_usable(device: str) -> None:
    """Whether this installation has kernels for a device, as far as that is known beforehand.

    Args:
        device: ``"cpu"``, ``"cuda:0"``, ...

    Raises:
        KernelError: it has none; the reason.
    """
    why = benchsuite_kernels.why_reference()
    if why is None and device.startswith("cuda"):
        from benchsuite_kernels.cuda.availability import cuda_problem

        why = cuda_problem()
    if why is not None:
        raise KernelError(f"--require-kernels: {why}")


def check_served(served: Mapping[str, str]) -> None:
    """Whether kernels alone served.

    Args:
        served: what ``benchsuite_kernels.served`` returns.

    Raises:
        KernelError: names the operators that something slower served.
    """
    slower = {
        operator: how
        for operator, how in served.items()
        if not set(how.split(", ")) <= set(KERNELS)
    }
    if slower:
        told = ", ".join(f"{operator} ({how})" for operator, how in slower.items())
        raise KernelError(f"--require-kernels: not served by kernels: {told}")

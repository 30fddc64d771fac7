"""How an operator becomes one torch operator, ``torch.ops.benchsuite.<name>``.

Torch's own dispatcher chooses by device, so that an operator can be traced, compiled and exported;
within a device the fastest implementation that is usable serves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchsuite_kernels.cuda.availability import cuda_problem
from benchsuite_kernels.dispatch import emulating, native, refuse_reference, tally

LIBRARY = torch.library.Library("benchsuite", "DEF")

REGISTERED: set[str] = set()
"""The operators whose modules are imported."""

Implementation = Callable[..., Any]
"""A function of the operator's arguments, without defaults; ``NotImplemented`` for dtypes that it
does not take."""

WITH_CUDA: dict[str, Implementation] = {}
"""What serves CUDA tensors, of those operators that have CUDA kernels."""


def register(
    schema: str,
    *,
    reference: Implementation,
    native: Implementation | None = None,
    cuda: Implementation | None = None,
    fake: Implementation,
    autocast: torch.dtype | None = None,
) -> Callable[..., Any]:
    """Define an operator.

    Args:
        schema: as torch has it, without defaults: ``name(Tensor boxes, float t) -> Tensor``.
        reference: plain torch or NumPy, for every device and dtype; float64 is its alone.
        native: for CPU tensors, by the C++ extension.
        cuda: for CUDA tensors, and for CPU tensors where kernels are emulated.
        fake: outputs without values, for tracing.
        autocast: the dtype that floating arguments are cast to under autocast.

    Returns:
        The operator, to be called with all arguments.
    """
    name = schema.partition("(")[0]
    REGISTERED.add(name)
    if cuda is not None:
        WITH_CUDA[name] = cuda
    LIBRARY.define(schema)
    LIBRARY.impl(name, _on_cpu(name, reference, native, cuda), "CPU")
    LIBRARY.impl(name, _on_cuda(name, reference, cuda), "CUDA")
    qualified = f"benchsuite::{name}"
    torch.library.register_fake(qualified, fake, lib=LIBRARY)
    if autocast is not None:
        for device in ("cpu", "cuda"):
            torch.library.register_autocast(qualified, device, autocast, lib=LIBRARY)
    operator: Callable[..., Any] = getattr(torch.ops.benchsuite, name).default
    return operator


def cuda_implementations() -> dict[str, str]:
    """Operator name to what serves it for CUDA tensors here: ``"cuda"``, ``"reference"``."""
    usable = cuda_problem() is None
    return {
        name: "cuda" if usable and name in WITH_CUDA else "reference" for name in sorted(REGISTERED)
    }


def register_gradient(name: str, backward: Implementation, setup_context: Implementation) -> None:
    """Make an operator differentiable; arguments as of ``torch.library.register_autograd``."""
    torch.library.register_autograd(
        f"benchsuite::{name}", backward, setup_context=setup_context, lib=LIBRARY
    )


def _on_cpu(
    name: str,
    reference: Implementation,
    in_cpp: Implementation | None,
    in_cuda: Implementation | None,
) -> Implementation:
    def serve(*arguments: Any) -> Any:
        if emulating():
            if in_cuda is not None:
                result = in_cuda(*arguments)
                if result is not NotImplemented:
                    tally(name, "emulated")
                    return result
        elif in_cpp is not None and native() is not None:
            result = in_cpp(*arguments)
            if result is not NotImplemented:
                tally(name, "c++")
                return result
        refuse_reference(name)
        tally(name, "reference")
        return reference(*arguments)

    return serve


def _on_cuda(
    name: str, reference: Implementation, in_cuda: Implementation | None
) -> Implementation:
    def serve(*arguments: Any) -> Any:
        if in_cuda is not None and cuda_problem() is None:
            result = in_cuda(*arguments)
            if result is not NotImplemented:
                tally(name, "cuda")
                return result
        refuse_reference(name)
        tally(name, "reference")
        return reference(*arguments)

    return serve

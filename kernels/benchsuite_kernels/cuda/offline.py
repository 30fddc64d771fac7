"""Compiling every source for every architecture, where there may be no GPU, and what each costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from benchsuite_kernels.cuda.compile import options
from benchsuite_kernels.cuda.nvrtc import nvrtc
from benchsuite_kernels.cuda.source import MACROS, source_text

ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")
"""Turing, Ampere, Hopper, Blackwell in data centres and in desktops."""

_KERNEL = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)' for '\w+'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads\n[^\n]*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)
_SHARED = re.compile(r"(\d+) bytes smem")


@dataclass(frozen=True)
class Cost:
    """What one kernel takes on one architecture.

    ``registers``: a thread; ``spilled``: bytes of registers that a thread stores to memory and
    loads back; ``stack``: bytes a thread; ``shared``: bytes of static shared memory a block.
    """

    source: str
    kernel: str
    scalar: str
    architecture: str
    registers: int
    spilled: int
    stack: int
    shared: int


def scalars(source: str) -> tuple[torch.dtype, ...]:
    """The dtypes that a source is compiled for: one where it does not speak of ``SCALAR``."""
    used = '"scalar.cuh"' in source_text(source)
    return tuple(MACROS) if used else (torch.float32,)


def costs(
    source: str,
    architectures: Sequence[str] = ARCHITECTURES,
    dtypes: Iterable[torch.dtype] | None = None,
) -> list[Cost]:
    """Compile a source for each architecture and dtype; for ``scalars`` where none are named.

    Raises:
        CompileError: the compiler refuses it; the text is its log.
        RuntimeError: there is no compiler.
    """
    found = []
    for scalar in scalars(source) if dtypes is None else dtypes:
        for architecture in architectures:
            told = (*options(architecture, scalar), "--ptxas-options=-v")
            _, log = nvrtc().compile(source_text(source), source, told)
            name = str(scalar).removeprefix("torch.")
            found += [_cost(each, source, name, architecture) for each in _KERNEL.finditer(log)]
    return found


def _cost(found: re.Match[str], source: str, scalar: str, architecture: str) -> Cost:
    shared = _SHARED.search(found["rest"])
    return Cost(
        source,
        found["kernel"],
        scalar,
        architecture,
        registers=int(found["registers"]),
        spilled=int(found["stores"]) + int(found["loads"]),
        stack=int(found["stack"]),
        shared=int(shared[1]) if shared else 0,
    )

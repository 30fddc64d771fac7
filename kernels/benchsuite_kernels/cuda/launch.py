"""Launching a kernel: on torch's current stream of the tensors' device, by CuPy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchsuite_kernels.cuda.signature import check_arguments
from benchsuite_kernels.cuda.source import MACROS, source_text

Grid = tuple[int, int, int]

OPTIONS = ("-std=c++17", "--fmad=false", "-lineinfo")
"""Products and sums are rounded one by one, as on the CPU."""


def launch(
    source: str,
    kernel: str,
    *,
    grid: Grid,
    block: Grid,
    arguments: Sequence[Tensor | int | float],
    scalar: torch.dtype = torch.float32,
    shared_bytes: int = 0,
) -> None:
    """Start a kernel; on a GPU this does not wait for it.

    Args:
        source: a file of ``cuda/sources``, or the absolute path of another one.
        kernel: its name there.
        grid, block: numbers of blocks and of threads a block; nothing happens where one is 0.
        arguments: in the kernel's order. Tensors, of which there is at least one, become pointers
            and must be contiguous in the order that the kernel knows; integers become
            ``long long``, floats ``float``.
        scalar: what ``SCALAR`` is.
        shared_bytes: dynamic shared memory a block.

    Raises:
        ValueError: tensors on different devices, or arguments that the kernel does not take.
    """
    check_arguments(source, kernel, arguments, scalar)
    tensors = [each for each in arguments if isinstance(each, Tensor)]
    device = tensors[0].device
    if any(each.device != device for each in tensors):
        raise ValueError(f"{kernel}: tensors lie on {sorted({str(t.device) for t in tensors})}")
    if 0 in grid or 0 in block:
        return
    if device.type != "cuda":
        from benchsuite_kernels.cuda.emulation.launch import launch_emulated

        launch_emulated(source, kernel, grid, block, arguments, scalar, shared_bytes)
        return
    import cupy

    with torch.cuda.device(device):
        stream = cupy.cuda.ExternalStream(torch.cuda.current_stream(device).cuda_stream)
        function = _function(device.index, source, kernel, scalar)
        with stream:
            function(grid, block, tuple(map(_passed, arguments)), shared_mem=shared_bytes)


def _passed(argument: Tensor | int | float) -> Any:
    if isinstance(argument, Tensor):
        return argument.data_ptr()
    return np.float32(argument) if isinstance(argument, float) else argument


@cache
def _function(device: int, source: str, kernel: str, scalar: torch.dtype) -> Any:
    """A kernel on one device, which is the current one."""
    return _module(device, source, scalar).get_function(kernel)


@cache
def _module(device: int, source: str, scalar: torch.dtype) -> Any:
    import cupy

    return cupy.RawModule(code=source_text(source), options=(*OPTIONS, *MACROS[scalar]))

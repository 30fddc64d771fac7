"""Launching a kernel: on torch's current stream of the tensors' device, through CuPy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

from benchsuite_kernels.cuda.compile import machine_code
from benchsuite_kernels.cuda.offline import scalars
from benchsuite_kernels.cuda.signature import Parameter, parameters_of, signatures
from benchsuite_kernels.cuda.source import MACROS, source_text, sources

Grid = tuple[int, int, int]

_MOST_BLOCKS = (2**31 - 1, 65535, 65535)
_MOST_THREADS = 1024


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
        ValueError: tensors on different devices, arguments that the kernel does not take, or more
            blocks or threads than there can be.
        RuntimeError: the source does not compile, or the launch fails.
    """
    parameters = parameters_of(source, kernel)
    device, values = _checked(kernel, parameters, arguments, scalar)
    if 0 in grid or 0 in block:
        return
    if grid[0] > _MOST_BLOCKS[0] or grid[1] > _MOST_BLOCKS[1] or grid[2] > _MOST_BLOCKS[2]:
        raise ValueError(f"{kernel}: grid {grid} exceeds {_MOST_BLOCKS}")
    if block[0] * block[1] * block[2] > _MOST_THREADS:
        raise ValueError(f"{kernel}: a block of {block} has more than {_MOST_THREADS} threads")
    _function(source, kernel, scalar, device)(grid, block, shared_bytes, values)


def prepare(
    dtypes: Collection[torch.dtype] = tuple(MACROS), device: torch.device | str = "cuda"
) -> int:
    """Compile and load every kernel, so that none is loaded while a CUDA graph is captured.

    Args:
        dtypes: of features and logits; a source that does not tell them apart is compiled once.

    Returns:
        How many kernels are loaded.
    """
    index = torch.device(device).index
    index = torch.cuda.current_device() if index is None else index
    capability = torch.cuda.get_device_capability(index)
    wanted = []
    for source in sources():
        known = scalars(source)
        wanted += [(source, each) for each in known if each in dtypes or len(known) == 1]
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda each: machine_code(*each, capability), wanted))
    count = 0
    for source, scalar in wanted:
        for kernel in signatures(source_text(source)):
            _function(source, kernel, scalar, index)
            count += 1
    return count


@cache
def _function(source: str, kernel: str, scalar: torch.dtype, device: int):  # type: ignore[no-untyped-def]
    """What runs a kernel on a GPU by number, or emulated for -1: called with the grid, the block,
    the bytes of dynamic shared memory, and the arguments as numbers."""
    if device < 0:
        from benchsuite_kernels.cuda.emulation.launch import EmulatedKernel

        return EmulatedKernel(source, kernel, scalar)
    from benchsuite_kernels.cuda.device_kernel import DeviceKernel

    return DeviceKernel(source, kernel, scalar, device)


def _checked(
    kernel: str,
    parameters: tuple[Parameter, ...],
    arguments: Sequence[Tensor | int | float],
    scalar: torch.dtype,
) -> tuple[int, list[int | float]]:
    """The device's number, -1 for the CPU, and the arguments as numbers."""
    if len(arguments) != len(parameters):
        raise ValueError(f"{kernel} takes {len(parameters)} arguments, not {len(arguments)}")
    device: int | None = None
    values: list[int | float] = []
    for parameter, argument in zip(parameters, arguments, strict=True):
        if isinstance(argument, Tensor):
            if not parameter.takes_tensor(argument.dtype, scalar):
                _refuse(kernel, parameter, f"a {argument.dtype} tensor", scalar)
            own = argument.get_device()
            if device is None:
                device = own
            elif own != device:
                raise ValueError(f"{kernel}: {parameter.name} lies on {argument.device}")
            values.append(argument.data_ptr())
        elif isinstance(argument, parameter.numbers):
            values.append(argument)
        else:
            _refuse(kernel, parameter, repr(argument), scalar)
    if device is None:
        raise ValueError(f"{kernel}: no tensor tells the device")
    return device, values


def _refuse(kernel: str, parameter: Parameter, given: str, scalar: torch.dtype) -> None:
    raise ValueError(f"{kernel}: {given} is given for {parameter.text} (SCALAR: {scalar})")

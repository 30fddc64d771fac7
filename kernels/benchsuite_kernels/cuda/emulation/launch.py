"""Launching a kernel on CPU tensors."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from benchsuite_kernels.cuda.emulation.build import library
from benchsuite_kernels.cuda.emulation.order import ORDERS, current_order
from benchsuite_kernels.cuda.signature import Parameter, parameters_of

_MESSAGE_BYTES = 2048
_INDEX = ctypes.c_uint * 3


class _Launch(ctypes.Structure):
    """``emulation::Launch`` of ``block.hpp``."""

    _fields_ = (
        ("grid", _INDEX),
        ("block", _INDEX),
        ("shared_bytes", ctypes.c_longlong),
        ("order", ctypes.c_int),
        ("seed", ctypes.c_uint),
        ("message", ctypes.c_char_p),
    )


_PASSED = {"pointer": ctypes.c_void_p, "integer": ctypes.c_longlong, "number": ctypes.c_float}


def launch_emulated(
    source: str,
    kernel: str,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    arguments: Sequence[Any],
    scalar: torch.dtype,
    shared_bytes: int,
) -> None:
    """Run a kernel to its end; arguments as of ``launch``, whose checks they have passed.

    Raises:
        RuntimeError: a barrier that not all threads reach, no compiler, or a source that it
            refuses.
    """
    order = current_order()
    message = ctypes.create_string_buffer(_MESSAGE_BYTES)
    task = _Launch(
        _INDEX(*grid),
        _INDEX(*block),
        shared_bytes,
        ORDERS.index(order.name),
        order.seed,
        ctypes.cast(message, ctypes.c_char_p),
    )
    function = _function(source, kernel, scalar, parameters_of(source, kernel))
    function(
        ctypes.byref(task),
        *(each.data_ptr() if isinstance(each, torch.Tensor) else each for each in arguments),
    )
    if message.value:
        raise RuntimeError(message.value.decode(errors="replace"))


@cache
def _function(
    source: str, kernel: str, scalar: torch.dtype, parameters: tuple[Parameter, ...]
) -> Any:
    function = getattr(library(source, scalar), f"emulated_{kernel}")
    function.argtypes = [ctypes.POINTER(_Launch), *(_PASSED[each.kind] for each in parameters)]
    function.restype = None
    return function

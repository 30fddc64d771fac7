"""Launching a kernel on CPU tensors."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch

from benchsuite_kernels.cuda.emulation.build import library
from benchsuite_kernels.cuda.emulation.order import ORDERS, current_order
from benchsuite_kernels.cuda.signature import parameters_of

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
        ("message", ctypes.c_void_p),
    )


_PASSED = {"pointer": ctypes.c_void_p, "integer": ctypes.c_longlong, "number": ctypes.c_float}


class EmulatedKernel:
    """Built when it is made.

    Raises:
        RuntimeError: there is no compiler, or it refuses the source.
    """

    def __init__(self, source: str, kernel: str, scalar: torch.dtype) -> None:
        kinds = [parameter.kind for parameter in parameters_of(source, kernel)]
        self._function = getattr(library(source, scalar), f"emulated_{kernel}")
        self._function.argtypes = [ctypes.c_void_p, *(_PASSED[kind] for kind in kinds)]
        self._function.restype = None

    def __call__(
        self,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        shared_bytes: int,
        values: Sequence[int | float],
    ) -> None:
        """Run the kernel to its end.

        Raises:
            RuntimeError: a barrier that not all threads reach.
        """
        order = current_order()
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        task = _Launch(
            _INDEX(*grid),
            _INDEX(*block),
            shared_bytes,
            ORDERS.index(order.name),
            order.seed,
            ctypes.addressof(message),
        )
        self._function(ctypes.addressof(task), *values)
        if message.value:
            raise RuntimeError(message.value.decode(errors="replace"))

"""A kernel on one GPU, launched by the driver through CuPy.

CuPy's own launch makes a stream object and an object for each argument at every call; this one
fills a buffer that is made once.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from benchsuite_kernels.cuda.compile import machine_code
from benchsuite_kernels.cuda.signature import parameters_of

_WORDS = {"pointer": "Q", "integer": "q", "number": "f4x"}
_WORD = 8
_MAX_DYNAMIC_SHARED = 8
"""``CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES``: more than 48 KiB are had on request only."""


class DeviceKernel:
    """Compiled and loaded when it is made, which must not be while a graph is captured.

    Raises:
        RuntimeError: it does not compile, or a graph is being captured.
    """

    def __init__(self, source: str, kernel: str, scalar: torch.dtype, device: int) -> None:
        from cupy_backends.cuda.api import driver

        self._driver = driver
        self._name = kernel
        self._device = device
        with torch.cuda.device(device):
            if torch.cuda.is_current_stream_capturing():
                raise RuntimeError(
                    f"{kernel} is not loaded yet, and a CUDA graph is being captured: call "
                    "benchsuite_kernels.cuda.launch.prepare() before"
                )
            self._function = _module(source, scalar, device).get_function(kernel)
        kinds = [parameter.kind for parameter in parameters_of(source, kernel)]
        # Each argument has a word of its own.
        self._pack = struct.Struct("<" + "".join(_WORDS[k] for k in kinds))
        self._shared_bytes = 0
        self._of_thread = threading.local()

    def __call__(
        self,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        shared_bytes: int,
        values: Sequence[int | float],
    ) -> None:
        if torch._C._cuda_getDevice() != self._device:
            with torch.cuda.device(self._device):
                return self._launch(grid, block, shared_bytes, values)
        return self._launch(grid, block, shared_bytes, values)

    def _launch(
        self,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        shared_bytes: int,
        values: Sequence[int | float],
    ) -> None:
        try:
            buffer, pointers = self._of_thread.buffers
        except AttributeError:
            buffer, pointers = self._of_thread.buffers = self._buffers()
        self._pack.pack_into(buffer, 0, *values)
        function = self._function.ptr
        try:
            if shared_bytes > self._shared_bytes:
                self._driver.funcSetAttribute(function, _MAX_DYNAMIC_SHARED, shared_bytes)
                self._shared_bytes = shared_bytes
            self._driver.launchKernel(
                function,
                *grid,
                *block,
                shared_bytes,
                torch._C._cuda_getCurrentRawStream(self._device),
                ctypes.addressof(pointers),
                0,
            )
        except self._driver.CUDADriverError as error:
            raise RuntimeError(
                f"{self._name} cannot be launched with grid {grid}, block {block} and "
                f"{shared_bytes} bytes of dynamic shared memory: {error}"
            ) from error

    def _buffers(self) -> tuple[Any, Any]:
        """Where one thread puts the arguments, and the addresses that the driver reads."""
        torch.cuda.set_device(self._device)  # binds the device's context to a new thread
        buffer = ctypes.create_string_buffer(max(self._pack.size, _WORD))
        start = ctypes.addressof(buffer)
        places = range(start, start + self._pack.size, _WORD)
        return buffer, (ctypes.c_void_p * max(len(places), 1))(*places)


@cache
def _module(source: str, scalar: torch.dtype, device: int) -> Any:
    """A source on one device, which is the current one."""
    from cupy.cuda.function import Module

    module = Module()
    module.load(machine_code(source, scalar, torch.cuda.get_device_capability(device)))
    return module

"""NVIDIA's run-time compiler, by whichever Python binding is installed. It needs no GPU."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

HEADERS = "cuda_fp16.h"
"""Tells a folder of CUDA's headers."""


class CompileError(RuntimeError):
    """A source that NVRTC refuses; the text is its log, with file names and lines."""


class Nvrtc(Protocol):
    """What is used of NVRTC."""

    def version(self) -> tuple[int, int]: ...

    def architectures(self) -> tuple[int, ...]:
        """Compute capabilities that it compiles for: 75, 80, ..."""
        ...

    def compile(self, text: str, name: str, options: tuple[str, ...]) -> tuple[bytes, str]:
        """The machine code (or PTX, for an option ``-arch=compute_XX``) and the log.

        Raises:
            CompileError: the source is refused.
        """
        ...


class _OfCudaBindings:
    """By the package ``cuda-bindings``, on which torch depends where it has CUDA."""

    def __init__(self) -> None:
        self._nvrtc = import_module("cuda.bindings.nvrtc")
        self.version()  # loads the library

    def _done(self, found: tuple[Any, ...]) -> Any:
        if found[0] != self._nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise CompileError(str(found[0]))
        return found[1] if len(found) == 2 else found[1:]

    def version(self) -> tuple[int, int]:
        major, minor = self._done(self._nvrtc.nvrtcVersion())
        return major, minor

    def architectures(self) -> tuple[int, ...]:
        return tuple(self._done(self._nvrtc.nvrtcGetSupportedArchs()))

    def compile(self, text: str, name: str, options: tuple[str, ...]) -> tuple[bytes, str]:
        nvrtc = self._nvrtc
        program = self._done(nvrtc.nvrtcCreateProgram(text.encode(), name.encode(), 0, [], []))
        try:
            given = [each.encode() for each in options]
            (status,) = nvrtc.nvrtcCompileProgram(program, len(given), given)
            log = bytearray(self._done(nvrtc.nvrtcGetProgramLogSize(program)))
            self._done(nvrtc.nvrtcGetProgramLog(program, log))
            told = log.rstrip(b"\0").decode(errors="replace")
            if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
                raise CompileError(told or str(status))
            kind = "PTX" if _is_virtual(options) else "CUBIN"
            size = self._done(getattr(nvrtc, f"nvrtcGet{kind}Size")(program))
            image = bytearray(size)
            self._done(getattr(nvrtc, f"nvrtcGet{kind}")(program, image))
            return bytes(image), told
        finally:
            nvrtc.nvrtcDestroyProgram(program)


class _OfCuPy:
    """By CuPy."""

    def __init__(self) -> None:
        self._nvrtc = import_module("cupy.cuda").nvrtc
        self.version()

    def version(self) -> tuple[int, int]:
        major, minor = self._nvrtc.getVersion()
        return major, minor

    def architectures(self) -> tuple[int, ...]:
        return tuple(self._nvrtc.getSupportedArchs())

    def compile(self, text: str, name: str, options: tuple[str, ...]) -> tuple[bytes, str]:
        nvrtc = self._nvrtc
        program = nvrtc.createProgram(text, name, (), ())
        try:
            try:
                nvrtc.compileProgram(program, options)
            except nvrtc.NVRTCError as error:
                raise CompileError(nvrtc.getProgramLog(program) or str(error)) from error
            image = (nvrtc.getPTX if _is_virtual(options) else nvrtc.getCUBIN)(program)
            return image, nvrtc.getProgramLog(program)
        finally:
            nvrtc.destroyProgram(program)


def _is_virtual(options: tuple[str, ...]) -> bool:
    return any(each.startswith("-arch=compute_") for each in options)


@cache
def _loaded() -> tuple[Nvrtc | None, str]:
    """NVRTC, or the reasons why not."""
    reasons = []
    for binding in (_OfCudaBindings, _OfCuPy):
        try:
            return binding(), ""
        except Exception as error:  # a missing library shows in many ways
            reasons.append(f"{type(error).__name__}: {error}".partition("\n")[0])
    return None, "; ".join(reasons)


def nvrtc_problem() -> str | None:
    """Why sources cannot be compiled for a GPU here; ``None`` where they can."""
    found, reasons = _loaded()
    if found is None:
        return f"NVRTC cannot be loaded (pip install cuda-bindings nvidia-cuda-nvrtc): {reasons}"
    if headers() is None:
        return f"CUDA's headers ({HEADERS}) are not found: pip install nvidia-cuda-runtime"
    return None


def nvrtc() -> Nvrtc:
    """The compiler.

    Raises:
        RuntimeError: it cannot be loaded.
    """
    found, _ = _loaded()
    if found is None:
        raise RuntimeError(nvrtc_problem())
    return found


@cache
def headers() -> Path | None:
    """The folder of CUDA's headers: of NVIDIA's Python packages, or of a toolkit."""
    found = find_spec("nvidia")
    roots = [Path(each) for each in found.submodule_search_locations or ()] if found else []
    ours = f"cu{nvrtc().version()[0]}"  # from CUDA 13 on; before, each library had its own folder
    folders = [root / package / "include" for root in roots for package in (ours, "cuda_runtime")]
    for variable in ("CUDA_PATH", "CUDA_HOME"):
        if named := os.environ.get(variable):
            folders.append(Path(named) / "include")
    folders.append(Path("/usr/local/cuda/include"))
    return next((folder for folder in folders if (folder / HEADERS).is_file()), None)

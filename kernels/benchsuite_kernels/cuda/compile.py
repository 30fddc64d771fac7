"""A CUDA source as machine code of one architecture; compiled once, then read from the cache."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from pathlib import Path

import torch

from benchsuite_kernels.cuda.cache import cache_folder
from benchsuite_kernels.cuda.nvrtc import CompileError, headers, nvrtc
from benchsuite_kernels.cuda.source import MACROS, source_text

OPTIONS = ("-std=c++17", "--fmad=false", "-lineinfo", "-default-device")
"""Products and sums are rounded one by one, as on the CPU. A lambda without annotation is the
device's: CUDA 13.0 refuses a generic one otherwise."""


def options(architecture: str, scalar: torch.dtype) -> tuple[str, ...]:
    """What the compiler is told; ``architecture`` is ``sm_90`` or, for PTX, ``compute_90``."""
    found = headers()
    include = () if found is None else (f"-I{found}",)
    return (*OPTIONS, f"-arch={architecture}", *include, *MACROS[scalar])


def machine_code(source: str, scalar: torch.dtype, capability: tuple[int, int]) -> bytes:
    """A source for a device of this compute capability, from the cache where it is there.

    Raises:
        CompileError: the source is refused.
        RuntimeError: there is no compiler.
    """
    text = source_text(source)
    told = options(architecture(capability), scalar)
    key = hashlib.sha256("\0".join([str(nvrtc().version()), *told, text]).encode()).hexdigest()
    path = cache_folder() / "cuda" / f"{Path(source).stem}-{key[:24]}.bin"
    if path.is_file():
        return path.read_bytes()
    try:
        image, _ = nvrtc().compile(text, source, told)
    except CompileError as error:
        raise CompileError(f"{source} does not compile for {told}:\n{error}") from None
    _keep(path, image)
    return image


@cache
def architecture(capability: tuple[int, int]) -> str:
    """What to compile for: the device's own architecture, or what it can translate.

    Raises:
        RuntimeError: a device older than all that the compiler knows.
    """
    wanted = capability[0] * 10 + capability[1]
    known = [each for each in nvrtc().architectures() if each <= wanted]
    if not known:
        raise RuntimeError(f"NVRTC {nvrtc().version()} knows no GPU as old as {capability}")
    # Machine code runs on later GPUs of the same major number; PTX on all later ones.
    best = max(known)
    return f"sm_{best}" if best // 10 == capability[0] else f"compute_{best}"


def _keep(path: Path, image: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
            partial.write(image)
        Path(partial.name).replace(path)
    except OSError:
        return  # a cache that cannot be written costs time only

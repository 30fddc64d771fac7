"""Whether CuPy can launch our kernels on torch's CUDA tensors, and why not."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

import torch

MAJORS = ("12", "13")
"""The CUDA versions that CuPy has packages for."""


@cache
def cuda_problem() -> str | None:
    """Why the CUDA kernels cannot serve; ``None`` where they can.

    CuPy of another CUDA than torch's would load torch's libraries of the same names and fail in
    ways that are hard to read: it is refused before it is imported.
    """
    return cupy_problem() or _device_problem()


def cupy_problem() -> str | None:
    """What is wrong with the packages, seen without importing any."""
    built_for = torch.version.cuda
    if built_for is None:
        return "this torch has no CUDA"
    major = built_for.partition(".")[0]
    remedy = f"pip install 'benchsuite[cuda{major}]'"
    installed = [each for each in MAJORS if _installed(f"cupy-cuda{each}x")]
    others = [f"cupy-cuda{each}x" for each in installed if each != major]
    if not installed:
        return f"CuPy is not installed: {remedy}"
    if len(installed) > 1:
        # They overwrite each other's files: neither is whole.
        names = " ".join(f"cupy-cuda{each}x" for each in installed)
        return f"CuPy is installed twice: pip uninstall {names}, then {remedy}"
    if others:
        return (
            f"CuPy is of CUDA {installed[0]}, torch of CUDA {major}: "
            f"pip uninstall {others[0]}, then {remedy}"
        )
    return None


def _device_problem() -> str | None:
    """What keeps a sound installation from working."""
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    try:
        import cupy  # noqa: F401
    except Exception as error:  # a broken installation may fail in any way, and must break nothing
        return f"CuPy does not import: {type(error).__name__}: {error}"
    from benchsuite_kernels.cuda.nvrtc import nvrtc_problem

    return nvrtc_problem()


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True

"""Whether CuPy can launch our kernels on torch's CUDA tensors, and why not."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

import torch


@cache
def cuda_problem() -> str | None:
    """Why the CUDA kernels cannot serve; ``None`` where they can.

    CuPy of another CUDA than torch's would load torch's libraries of the same names and fail in
    ways that are hard to read: it is refused before it is imported.
    """
    built_for = torch.version.cuda
    if built_for is None:
        return "this torch has no CUDA"
    major = built_for.partition(".")[0]
    remedy = f"pip install 'benchsuite[cuda{major}]'"
    installed = [each for each in ("12", "13") if _installed(f"cupy-cuda{each}x")]
    if not installed:
        return f"CuPy is not installed: {remedy}"
    if installed != [major]:
        found = " and ".join(installed)
        return f"CuPy is of CUDA {found}, torch of CUDA {major}: pip uninstall it, then {remedy}"
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    try:
        import cupy  # noqa: F401
    except Exception as error:  # a broken installation may fail in any way, and must break nothing
        return f"CuPy does not import: {type(error).__name__}: {error}"
    return None


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True

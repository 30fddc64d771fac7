"""A checkpoint made small enough to come with a package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints.read_checkpoint import read_checkpoint
from benchsuite_plugins.checkpoints.safetensors_file import check_target, write_safetensors_file


def pack(source: Path, target: Path, dtype: torch.dtype) -> int:
    """Write the values of ``source`` under the same names, large ones as ``dtype``; how many.

    The same values give the same bytes.

    Args:
        dtype: of what ``packed`` changes.

    Raises:
        UsageError: ``target`` has another ending, is there already, or its folder is not.
        InputError: ``source`` cannot be read, or holds a number that ``dtype`` does not reach.
    """
    check_target(target)
    state = packed(read_checkpoint(source), dtype, source)
    write_safetensors_file(state, target)
    return len(state)


def packed(state: Mapping[str, Tensor], dtype: torch.dtype, source: object) -> dict[str, Tensor]:
    """Kernels and matrices of floating point as ``dtype``, everything else as it is.

    Vectors are few numbers, and biases, scales and above all the statistics of normalisation layers
    reach further and lose more than weights do.

    Args:
        source: the file, for messages.

    Raises:
        InputError: a number is beyond what ``dtype`` reaches.
    """
    result = {}
    for name, value in state.items():
        if value.is_floating_point() and value.ndim >= 2:
            small = value.to(dtype)
            if not bool(small.isfinite().all()):
                raise InputError(
                    f"has a number that {dtype} cannot hold: {value.abs().max().item():g}",
                    file=source,
                    record=name,
                )
            value = small
        result[name] = value
    return result

"""Checkpoints in the safetensors format."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from benchsuite.errors import InputError


def read_safetensors_file(path: Path) -> dict[str, Tensor]:
    """The state dict.

    Raises:
        InputError: the file is truncated or damaged.
    """
    try:
        state: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise InputError(
            f"is truncated or damaged ({error})", file=path, remedy="Get it again"
        ) from None
    return state

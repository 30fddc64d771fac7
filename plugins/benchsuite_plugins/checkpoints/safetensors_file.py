"""Checkpoints in the safetensors format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchsuite.errors import InputError, UsageError
from benchsuite.files.durable import sync_file

SUFFIX = ".safetensors"


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


def check_target(target: Path) -> None:
    """Check that a file can be written there.

    Raises:
        UsageError: the name has another ending, the file is there already, or its folder is not.
    """
    if target.suffix != SUFFIX:
        raise UsageError(f"{target} must end in {SUFFIX}")
    if target.exists():
        raise UsageError(f"{target} is there already: remove it, or choose another name")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent.absolute()}")


def write_safetensors_file(state: Mapping[str, Tensor], target: Path) -> None:
    """Write a state dict; the file is there whole or not at all."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        unfinished.touch()
        mode = unfinished.stat().st_mode
        save_file(_apart(state), unfinished)
        # The library makes files that their owner alone may read.
        unfinished.chmod(mode)
        sync_file(unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _apart(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values, none of which shares memory with another."""
    seen: set[int] = set()
    apart = {}
    for name, value in state.items():
        memory = value.untyped_storage().data_ptr()
        apart[name] = value.clone() if memory in seen else value.contiguous()
        seen.add(memory)
    return apart

"""Any checkpoint to safetensors, which everybody can read without executing anything."""

from __future__ import annotations

import os
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from benchsuite.errors import UsageError
from benchsuite.files.durable import sync_file
from benchsuite_plugins.checkpoints.read_checkpoint import read_checkpoint

SUFFIX = ".safetensors"


def convert(source: Path, target: Path) -> int:
    """Write the values of ``source`` under the same names; how many there are.

    Raises:
        UsageError: ``target`` has another ending, is there already, or its folder is not.
        InputError: ``source`` cannot be read.
    """
    if target.suffix != SUFFIX:
        raise UsageError(f"{target} must end in {SUFFIX}")
    if target.exists():
        raise UsageError(f"{target} is there already: remove it, or choose another name")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent.absolute()}")
    state = read_checkpoint(source)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        save_file(_apart(state), unfinished)
        sync_file(unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return len(state)


def _apart(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same values, none of which shares memory with another."""
    seen: set[int] = set()
    apart = {}
    for name, value in state.items():
        memory = value.untyped_storage().data_ptr()
        apart[name] = value.clone() if memory in seen else value.contiguous()
        seen.add(memory)
    return apart

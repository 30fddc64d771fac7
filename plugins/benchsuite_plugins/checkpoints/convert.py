"""Any checkpoint to safetensors, which everybody can read without executing anything."""

from __future__ import annotations

from pathlib import Path

from benchsuite_plugins.checkpoints.read_checkpoint import read_checkpoint
from benchsuite_plugins.checkpoints.safetensors_file import check_target, write_safetensors_file


def convert(source: Path, target: Path) -> int:
    """Write the values of ``source`` under the same names; how many there are.

    Raises:
        UsageError: ``target`` has another ending, is there already, or its folder is not.
        InputError: ``source`` cannot be read.
    """
    check_target(target)
    state = read_checkpoint(source)
    write_safetensors_file(state, target)
    return len(state)

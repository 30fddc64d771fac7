"""Checkpoints of a training: folders that are there wholly or not at all.

``model.safetensors`` is what ``--weights`` takes: the weights as they are validated, averaged where
they are averaged. ``state.pt`` has what a training needs beside them to go on; it is read without
running anything that is in it.
"""

from __future__ import annotations

import errno
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchsuite.errors import BenchsuiteError, DataMissingError, InputError
from benchsuite.files import durable
from benchsuite.files.replaced_folder import recover, replaced_folder
from benchsuite.trained import CHECKPOINTS, WEIGHTS

BEST, LAST = CHECKPOINTS
MODEL, STATE = WEIGHTS, "state.pt"


def write_checkpoint(
    folder: Path, weights: Mapping[str, Tensor], state: Mapping[str, Any] | None, step: int
) -> None:
    """Write a checkpoint in the place of the one that is there.

    Args:
        folder: of the checkpoint; the one above it is made.
        weights: a model's state dict.
        state: tensors and plain values; ``None``: none is written.

    Raises:
        BenchsuiteError: the disk is full, or the place must not be written; the checkpoint that
            was there is as it was.
    """
    try:
        durable.make_folder(folder.parent)
        with replaced_folder(folder) as new:
            write_checkpoint_files(new, weights, state, step)
    except (OSError, RuntimeError) as error:
        raise _explained(error, folder) from error


def write_checkpoint_files(
    folder: Path, weights: Mapping[str, Tensor], state: Mapping[str, Any] | None, step: int
) -> None:
    """The files of ``write_checkpoint`` alone, into a folder that is there."""
    _write_weights(folder / MODEL, weights, step)
    if state is not None:
        torch.save(dict(state), folder / STATE)


def read_state(folder: Path) -> dict[str, Any]:
    """What ``write_checkpoint`` was given as ``state``, on the CPU.

    Raises:
        DataMissingError: there is no checkpoint.
        InputError: its state is damaged.
    """
    recover(folder)
    path = folder / STATE
    if not path.is_file():
        raise DataMissingError(
            f"there is no checkpoint in {folder}: nothing to go on with. Start without --resume"
        )
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"is truncated or damaged ({said})",
            file=path,
            remedy="Start anew from model.safetensors beside it (--init), or without --resume",
        ) from None
    return state


def read_weights(folder: Path) -> dict[str, Tensor]:
    """What ``write_checkpoint`` was given as ``weights``, on the CPU.

    Raises:
        InputError: they are not there, or damaged.
    """
    path = folder / MODEL
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"is not there, truncated or damaged ({error})",
            file=path,
            remedy="Start anew, without --resume",
        ) from None
    return weights


def has_checkpoint(folder: Path) -> bool:
    """Whether there is one to go on from."""
    recover(folder)
    return (folder / STATE).is_file()


def _write_weights(path: Path, weights: Mapping[str, Tensor], step: int) -> None:
    # Tensors that share memory cannot be written; weights that are tied are written each.
    seen: set[int] = set()
    tensors = {}
    for name, tensor in weights.items():
        plain = tensor.detach().cpu().contiguous()
        if plain.data_ptr() in seen and plain.numel():
            plain = plain.clone()
        seen.add(plain.data_ptr())
        tensors[name] = plain
    path.touch()
    mode = path.stat().st_mode
    save_file(tensors, path, metadata={"format": "pt", "step": str(step)})
    # The library makes files that their owner alone may read.
    path.chmod(mode)


def _explained(error: Exception, folder: Path) -> BenchsuiteError:
    code = error.errno if isinstance(error, OSError) else None
    if code in durable.FULL or f"os error {errno.ENOSPC}" in str(error):
        return BenchsuiteError(
            f"the checkpoint {folder} could not be written: the disk is full. Make room and go on "
            "with --resume"
        )
    return BenchsuiteError(f"the checkpoint {folder} could not be written: {error}")

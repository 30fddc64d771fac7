"""PyTorch's ``.pth`` checkpoints, with or without a trainer's state around the weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from benchsuite.errors import InputError


def read_torch_file(path: Path, *, mapped: bool) -> dict[str, Tensor]:
    """The state dict; only tensors and plain containers are admitted.

    Args:
        mapped: whether the tensors are read from the file as they are used (the zip form can be,
            the form before PyTorch 1.6 cannot).

    Raises:
        InputError: the file is truncated or damaged, asks for anything but tensors, or holds
            something other than a state dict.
    """
    # torch.load reads nothing but safetensors from a path that ends so, and maps nothing but paths.
    if path.suffix == ".safetensors":
        mapped = False
    try:
        with path.open("rb") as file:
            content = torch.load(
                path if mapped else file, map_location="cpu", weights_only=True, mmap=mapped
            )
    except UnpicklingError as error:
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(
                f"refused: it asks for {found[1]}, which weights do not need and which could run "
                "anything",
                file=path,
                remedy="Save the state dict alone",
            ) from None
        raise _damaged(path, error) from None
    except Exception as error:  # torch raises many kinds for a damaged file
        raise _damaged(path, error) from None
    state = content
    if isinstance(content, Mapping):
        state = next((content[key] for key in ("model", "model_state") if key in content), content)
    if not isinstance(state, Mapping):
        raise InputError(f"holds a {type(state).__name__} in place of a state dict", file=path)
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise InputError(
                f"is a {type(value).__name__} in place of a tensor", file=path, record=repr(name)
            )
    return dict(state)


def _damaged(path: Path, error: Exception) -> InputError:
    first_line = str(error).strip().partition("\n")[0]
    return InputError(
        f"is truncated or damaged ({first_line or type(error).__name__})",
        file=path,
        remedy="Get it again",
    )

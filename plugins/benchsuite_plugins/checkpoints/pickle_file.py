"""``.pkl`` checkpoints: a pickled dict of NumPy arrays, under ``model`` (Detectron2's) or ``blobs``
(Caffe2's) where there is more beside it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints.array_unpickler import REMEDY, ArrayRecord, read_array_pickle


def read_pickle_file(path: Path) -> dict[str, Tensor]:
    """The state dict; nothing in the file is executed.

    Raises:
        InputError: the file is truncated or damaged, asks for anything but arrays, or holds
            something other than a state dict.
    """
    content = read_array_pickle(path)
    state = content
    if isinstance(content, dict):
        state = next((content[key] for key in ("model", "blobs") if key in content), content)
    if not isinstance(state, dict):
        raise InputError(f"holds a {type(state).__name__} in place of a state dict", file=path)
    available = path.stat().st_size
    tensors: dict[int, Tensor] = {}
    named: dict[str, Tensor] = {}
    for name, record in state.items():
        if not isinstance(name, str) or not isinstance(record, ArrayRecord):
            raise InputError(
                f"is a {type(record).__name__} in place of an array", file=path, record=repr(name)
            )
        if id(record) not in tensors:
            try:
                tensor = torch.from_numpy(record.array())
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"cannot be read: {error}", file=path, record=repr(name), remedy=REMEDY
                ) from None
            available -= tensor.nbytes
            if available < 0:
                raise InputError(
                    "holds arrays that share their bytes, more together than the file is long",
                    file=path,
                    remedy=REMEDY,
                )
            tensors[id(record)] = tensor
        named[name] = tensors[id(record)]
    return named

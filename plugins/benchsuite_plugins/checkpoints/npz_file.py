"""NumPy's ``.npz`` archives with an array a parameter."""

from __future__ import annotations

import io
import zipfile
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchsuite.errors import InputError


def read_npz_file(archive: zipfile.ZipFile, path: Path) -> dict[str, Tensor]:
    """The state dict: the members' names without ``.npy``.

    Raises:
        InputError: a member is damaged, or is no array of numbers.
    """
    state = {}
    for name in archive.namelist():
        try:
            state[name.removesuffix(".npy")] = _read_array(archive.read(name))
        except (ValueError, zipfile.BadZipFile, EOFError) as error:
            raise InputError(f"cannot be read: {error}", file=path, record=name) from None
    return state


def _read_array(content: bytes) -> Tensor:
    """A member; its header is held against its length before anything is reserved for it."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, column_major, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, column_major, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"its format is of version {version}")
    start = stream.tell()
    if dtype.kind not in "biuf":
        raise ValueError(f"its dtype is {dtype}")
    if prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError(f"its shape {shape} of {dtype} does not fit {len(content) - start} bytes")
    array = np.frombuffer(bytearray(content[start:]), dtype)
    array = array.reshape(shape, order="F" if column_major else "C")
    return torch.from_numpy(array.astype(dtype.newbyteorder("="), order="C", copy=False))

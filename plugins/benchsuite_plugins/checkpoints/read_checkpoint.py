"""A checkpoint in any of the forms that are known, told apart by what is in the file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from benchsuite.errors import DataMissingError, InputError
from benchsuite_plugins.checkpoints.npz_file import read_npz_file
from benchsuite_plugins.checkpoints.pickle_file import read_pickle_file
from benchsuite_plugins.checkpoints.safetensors_file import read_safetensors_file
from benchsuite_plugins.checkpoints.torch_file import read_torch_file
from benchsuite_plugins.checkpoints.zip_archive import open_archive

ZIP = b"PK\x03\x04"
PICKLE = b"\x80"
OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickled number with which files of PyTorch before 1.6 begin."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Parameter names and values, on the CPU; nothing in the file is executed.

    Reads Detectron2's and Caffe2's ``.pkl``, PyTorch's ``.pth`` (a state dict, or one under
    ``model`` or, from pycls, ``model_state``), safetensors and ``.npz``, whatever the file is
    called. The prefix ``module.`` of a model that was saved inside its parallel wrapper is taken
    off.

    Raises:
        DataMissingError: there is no such file.
        InputError: it is of no known form, truncated or damaged, asks to execute anything, or
            declares far more than it holds.
    """
    path = Path(path)
    if not path.is_file():
        raise DataMissingError(f"there is no weights file {path}")
    state = _read(path)
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def _read(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        start = file.read(len(OLD_TORCH))
    # Eight bytes say how long the header is, which is a JSON object of at most 100 MB. No pickle
    # begins so, though the first of the eight may be that of one.
    if start[4:9] == b"\0\0\0\0{":
        return read_safetensors_file(path)
    if start.startswith(ZIP):
        with open_archive(path) as archive:
            if any(Path(name).name == "data.pkl" for name in archive.namelist()):
                return read_torch_file(path, mapped=True)
            return read_npz_file(archive, path)
    if start == OLD_TORCH:
        return read_torch_file(path, mapped=False)
    if start.startswith(PICKLE):
        return read_pickle_file(path)
    what = f"begins with {start!r}" if start else "is empty"
    raise InputError(
        f"{what}: no checkpoint of Detectron2, PyTorch, safetensors or NumPy",
        file=path,
        remedy="Was a page saved in its place? Get it again",
    )

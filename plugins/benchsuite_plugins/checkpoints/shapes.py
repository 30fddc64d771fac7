"""The names and shapes of a checkpoint, or of a JSON object that states them."""

from __future__ import annotations

import json
from pathlib import Path

from benchsuite.errors import DataMissingError, InputError
from benchsuite_plugins.checkpoints.read_checkpoint import read_checkpoint


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Parameter name to shape.

    Args:
        path: a checkpoint, or a ``.json`` file of an object of name to shape (a list).

    Raises:
        DataMissingError: there is no such file.
        InputError: it is neither.
    """
    if path.suffix.lower() != ".json":
        return {name: tuple(value.shape) for name, value in read_checkpoint(path).items()}
    if not path.is_file():
        raise DataMissingError(f"there is no file {path}")
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"is no JSON: {error}", file=path) from error
    if not isinstance(stated, dict):
        raise InputError("is no object of parameter name to shape", file=path)
    for name, shape in stated.items():
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise InputError(f"is no shape, a list of sizes: {shape!r}", file=path, record=name)
    return {name: tuple(shape) for name, shape in stated.items()}

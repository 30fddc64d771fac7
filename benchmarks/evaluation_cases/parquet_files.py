"""The Parquet twins of a data set's JSON files, as ``benchsuite data convert`` writes them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from benchsuite.columns.sources import read_predictions, read_truth
from benchsuite.protocols import Truth, WriteRequest
from benchsuite_plugins.formats.parquet import write_predictions, write_truth


def parquet_twins(truth: Path, predictions: Path, task: str) -> tuple[Path, Path]:
    """Folder and file beside the JSON files, written if they are not there.

    Args:
        task: what the predictions are for.
    """
    folder, file = truth.with_suffix(".parquet"), predictions.with_suffix(".parquet")
    if folder.is_dir() and file.is_file():
        return folder, file
    print(f"making {folder} and {file}", flush=True)
    columns: Truth = read_truth(truth)
    _made(folder, lambda path: write_truth(columns, WriteRequest(path, columns.categories)))
    found = read_predictions(predictions, columns.images, columns.categories, task)
    _made(file, lambda path: write_predictions(found, WriteRequest(path, columns.categories)))
    return folder, file


def _made(path: Path, write: Callable[[Path], object]) -> None:
    """Calls ``write`` with a path that takes its place when it is whole."""
    if path.exists():
        return
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.rmtree(staged, ignore_errors=True)
    write(staged)
    staged.rename(path)

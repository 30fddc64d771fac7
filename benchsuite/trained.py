"""What a training left in its folder, as a model to run: no torch, nothing of how it was trained.

``training.json`` says which model it was, with which options and categories; ``best`` and ``last``
hold weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchsuite.errors import DataMissingError, InputError
from benchsuite.specs import Category, KeypointLayout

DESCRIPTION, WEIGHTS = "training.json", "model.safetensors"
CHECKPOINTS = ("best", "last")
"""In the order in which they are looked for where none is named."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A checkpoint of a training, and what it is a checkpoint of.

    Attributes:
        name: of the weights: the folder's and the checkpoint's (``"mask_rcnn_shapes/best"``).
        weights: the file.
        model: the model's name.
        recipe: the name of the recipe that was trained.
        options: the model's, all of them, as JSON-able values.
        categories: what the labels mean.
        keypoints: the layout that it learned, where it learned one.
    """

    name: str
    weights: Path
    model: str
    recipe: str
    options: Mapping[str, Any]
    categories: tuple[Category, ...]
    keypoints: KeypointLayout | None = None


def trained_model(argument: str) -> Trained | None:
    """The checkpoint that ``--model`` names; ``None`` where there is nothing of that name.

    Raises:
        DataMissingError: what is there is no training, or has no checkpoint yet.
        InputError: its description is damaged.
    """
    trained = find_trained(argument)
    if trained is None and Path(argument).expanduser().exists():
        raise DataMissingError(
            f"{argument} is no training's folder: there is no {DESCRIPTION} in it. Name the model "
            "(see `benchsuite list models`), and its weights with --weights"
        )
    return trained


def find_trained(argument: str) -> Trained | None:
    """The checkpoint that a path stands for; ``None`` where it is no training's.

    Args:
        argument: the folder of a training (its best checkpoint, or the last one where nothing was
            validated), that of one of its checkpoints, or the file of weights in that.

    Raises:
        DataMissingError: the training has no checkpoint yet.
        InputError: its description is damaged.
    """
    path = Path(argument).expanduser()
    if path.name == WEIGHTS and path.is_file():
        path = path.parent
    if not path.is_dir():
        return None
    checkpoints: tuple[str, ...]
    if (path / DESCRIPTION).is_file():
        folder, checkpoints = path, CHECKPOINTS
    elif (path / WEIGHTS).is_file() and (path.resolve().parent / DESCRIPTION).is_file():
        folder, checkpoints = path.resolve().parent, (path.resolve().name,)
    else:
        return None
    for checkpoint in checkpoints:
        if (file := folder / checkpoint / WEIGHTS).is_file():
            return _read(folder, file)
    raise DataMissingError(f"the training in {folder} has no checkpoint yet: there is no {file}")


def _read(folder: Path, weights: Path) -> Trained:
    path = folder / DESCRIPTION
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        identity, keypoints = described["identity"], described.get("keypoints")
        return Trained(
            name=f"{folder.resolve().name}/{weights.parent.name}",
            weights=weights,
            model=identity["model"],
            recipe=identity["recipe"],
            options=dict(identity["model_options"]),
            categories=tuple(Category(**each) for each in identity["categories"]),
            keypoints=None if keypoints is None else _layout(keypoints),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"is no description of a training ({type(error).__name__}: {error})",
            file=path,
            remedy="Give the model, its options and the file of weights yourself",
        ) from None


def _layout(stated: Mapping[str, Any]) -> KeypointLayout:
    return KeypointLayout(
        names=tuple(stated["names"]),
        sigmas=tuple(stated["sigmas"]),
        flip_pairs=tuple((a, b) for a, b in stated["flip_pairs"]),
        skeleton=tuple((a, b) for a, b in stated["skeleton"]),
    )

"""The losses of a model on images that it does not learn from: no augmentation, no dropout, and
nothing drawn that would be drawn otherwise the next time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from math import fsum
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from benchsuite.errors import ContractError
from benchsuite.progress import ShowsProgress, no_progress
from benchsuite.protocols import ResizingModel, TrainableModel
from benchsuite.training.augmentation.samples import example_of, sample_of
from benchsuite.training.data.example import Example
from benchsuite.training.order.random_keys import Purpose, random_seed
from benchsuite.training.processes.ranks import (
    broadcast_json,
    gather_bytes,
    own_turns,
    rank,
    world_size,
)

if TYPE_CHECKING:
    from benchsuite.training.data.training_set import TrainingSet

TOTAL = "loss/total"
"""The sum of all terms."""


class ValidationLoss:
    """Means over images, one by one, of what ``losses`` returns.

    Args:
        examples: images and truth; what cannot be learnt from is not among them.
        seed: of what the losses draw (which anchors count, for one); the same for an image at each
            validation.
        limit: only the first so many; ``None``: all.
        show: shows progress, on rank 0.
    """

    def __init__(
        self,
        examples: TrainingSet,
        *,
        seed: int,
        limit: int | None = None,
        show: ShowsProgress = no_progress,
    ) -> None:
        self._examples = examples
        self._seed = seed
        self._count = len(examples) if limit is None else min(limit, len(examples))
        self._show = show

    def __call__(self, model: nn.Module) -> Mapping[str, float]:
        """``"loss/<term>"`` and ``TOTAL``; every rank must call it, and gets them all.

        Args:
            model: in evaluation mode; its normalisation layers take the statistics that they have.

        Raises:
            ContractError: the model has no losses.
        """
        if not isinstance(model, TrainableModel):
            raise ContractError(f"{type(model).__name__} has no losses(images, targets)")
        rows: list[tuple[int, dict[str, float]]] = []
        show = self._show if rank() == 0 else no_progress
        with torch.no_grad(), show("validating losses", self._count) as shown:
            for place, counts in own_turns(self._count):
                terms = self._losses(model, place)
                if counts:
                    rows.append((place, terms))
                shown.advance(min(world_size(), self._count - place))
        gathered = gather_bytes(json.dumps(rows).encode())
        means = _means([row for part in gathered for row in json.loads(part)])
        found: dict[str, float] = broadcast_json(means)
        return found

    def _losses(self, model: TrainableModel, place: int) -> dict[str, float]:
        example = as_seen(self._examples.example(place), model)
        seed = random_seed(Purpose.VALIDATION, self._seed, place)
        torch.manual_seed(seed)
        target = replace(example.target, seed=seed)
        return {name: float(v) for name, v in model.losses([example.image], [target]).items()}


def as_seen(example: Example, model: object) -> Example:
    """An example at the size in which a model sees its image in ``predict``.

    Of a model that does not say it (``ResizingModel``), at the size that the image has.
    """
    if not isinstance(model, ResizingModel):
        return example
    pixels = model.resized(example.image).pixels
    sample = sample_of(example)
    resized = {name: _resized(value, pixels.shape[:2]) for name, value in sample.items()}
    resized["image"] = tv_tensors.Image(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
    return example_of(resized, example)


def _resized(value: Any, size: tuple[int, int]) -> Any:
    if not isinstance(value, tv_tensors.Mask):
        # A plain tensor is no image here, but what torchvision would take for one.
        return value if type(value) is Tensor else F.resize(value, list(size))
    # The nearest pixel, by where the centres lie: torchvision's masks would move by half of one.
    rows, columns = (
        torch.from_numpy(((np.arange(new) + 0.5) * (old / new)).astype(np.int64))
        for old, new in zip(value.shape[-2:], size, strict=True)
    )
    near = value.as_subclass(Tensor)[..., rows[:, None], columns]
    return tv_tensors.wrap(near, like=value)


def _means(rows: list[tuple[int, dict[str, float]]]) -> dict[str, float]:
    """Of every term, summed exactly: the order in which ranks bring them does not matter."""
    names = sorted({name for _, terms in rows for name in terms})
    means = {
        f"loss/{name}": fsum(terms.get(name, 0.0) for _, terms in rows) / len(rows)
        for name in names
    }
    return {TOTAL: fsum(means.values()), **means} if rows else {}

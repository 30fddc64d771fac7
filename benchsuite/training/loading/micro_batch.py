"""Examples that go through the model together, and how they are made of draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from benchsuite.errors import BenchsuiteError
from benchsuite.records import Image
from benchsuite.targets import Target
from benchsuite.training.data.example import Example
from benchsuite.training.data.joined_sets import Examples
from benchsuite.training.order.draws import Draw, MicroBatchDraws
from benchsuite.training.order.random_keys import Purpose, random_seed


@dataclass(frozen=True, slots=True, eq=False)
class MicroBatch:
    """What a model takes the losses of at once.

    Attributes:
        step: which step of the training it belongs to.
        number: which of that step's micro-batches it is, counted over all processes.
        images: at the size that the model shall see, their pixels contiguous and free to change.
        targets: one an image; each has a seed of its own.
        image_ids: the dataset's.
        seed: of all that is random about the batch as a whole, 0 to 2^63 - 1.
    """

    step: int
    number: int
    images: tuple[Image, ...]
    targets: tuple[Target, ...]
    image_ids: tuple[int, ...]
    seed: int

    def __len__(self) -> int:
        return len(self.images)


class Augmentation(Protocol):
    """What is done to an example before the model sees it.

    All that is random about it follows from ``seed``. ``other(k)`` is the k-th further example of
    this draw, of the same dataset and as it lies on disk, for what makes one of several. Worker
    processes are given it pickled.
    """

    def __call__(self, example: Example, seed: int, other: Callable[[int], Example]) -> Example: ...


@dataclass(frozen=True, slots=True)
class MicroBatchMaker:
    """Makes micro-batches of draws; the same ones in every process.

    Attributes:
        examples: what is drawn from.
        augmentation: ``None``: examples stay as they are.
    """

    examples: Examples
    augmentation: Augmentation | None = None

    def __call__(self, draws: MicroBatchDraws) -> MicroBatch:
        """A micro-batch.

        Raises:
            InputError: an image cannot be read, or is not what its annotations say.
            BenchsuiteError: the augmentation failed; the image is named.
        """
        examples = [self._example(draw) for draw in draws.draws]
        return MicroBatch(
            draws.step,
            draws.number,
            tuple(each.image for each in examples),
            tuple(each.target for each in examples),
            tuple(each.image.record.id for each in examples),
            draws.seed,
        )

    def _example(self, draw: Draw) -> Example:
        example = self.examples.example(draw.index)
        if self.augmentation is not None:
            try:
                example = self.augmentation(example, draw.seed, partial(self._other, draw))
            except BenchsuiteError:
                raise
            except Exception as error:
                record = self.examples.record(draw.index)
                raise BenchsuiteError(
                    f"image id {record.id} ({record.file_name}) could not be augmented, with seed "
                    f"{draw.seed}: {type(error).__name__}: {error}"
                ) from error
        pixels = np.require(example.image.pixels, requirements=("C", "W"))
        image, target = Image(example.image.record, pixels), example.target
        return Example(image, replace(target, seed=draw.seed))

    def _other(self, draw: Draw, number: int) -> Example:
        siblings = self.examples.siblings(draw.index)
        place = random_seed(Purpose.OTHER_IMAGE, draw.seed, number) % len(siblings)
        return self.examples.example(siblings[place])

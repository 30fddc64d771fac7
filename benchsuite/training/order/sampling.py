"""The order that a recipe wants its images in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import UsageError
from benchsuite.training.data.joined_sets import Examples, JoinedSets
from benchsuite.training.options import SamplerOptions
from benchsuite.training.order.aspect_groups import GroupedStream, orientations
from benchsuite.training.order.draws import Stream
from benchsuite.training.order.epochs import Epochs, EpochStream, ShuffledEpochs, WholeSteps
from benchsuite.training.order.mixture import MixedStream
from benchsuite.training.order.repeat_factor import RepeatedEpochs, repeat_factors


def build_stream(
    sets: Sequence[Examples],
    options: SamplerOptions,
    *,
    images_per_micro_batch: int,
    images_per_batch: int,
    seed: int,
) -> Stream:
    """The stream over the examples of ``JoinedSets(sets)``.

    Without weights the sets are one; with weights each has epochs of its own.

    Args:
        sets: at least one.
        images_per_micro_batch: what aspect-ratio grouping keeps together, and what weights are
            counted in.
        images_per_batch: images a step, for sampler ``epoch``.

    Raises:
        UsageError: there are not as many weights as sets, or one is not above 0; or an epoch has
            less than a step.
    """
    if not options.weights:
        return _of_one(JoinedSets(sets), options, images_per_micro_batch, images_per_batch, seed)
    if len(options.weights) != len(sets):
        raise UsageError(
            f"training.sampler.weights has {len(options.weights)} weights for {len(sets)} datasets"
        )
    if not all(0 < weight < float("inf") for weight in options.weights):
        raise UsageError("training.sampler.weights must be numbers above 0")
    streams = [
        _Shifted(
            _of_one(each, options, images_per_micro_batch, images_per_batch, seed + number), start
        )
        for number, (each, start) in enumerate(zip(sets, JoinedSets(sets).starts.tolist()))
    ]
    return MixedStream(streams, options.weights, images_per_micro_batch, seed)


def _of_one(
    examples: Examples, options: SamplerOptions, together: int, step: int, seed: int
) -> Stream:
    epochs = _epochs(examples, options, step, seed)
    if options.aspect_ratio_grouping and together > 1:
        groups = orientations(examples.widths, examples.heights)
        return GroupedStream(epochs, groups, together)
    return EpochStream(epochs)


def _epochs(examples: Examples, options: SamplerOptions, step: int, seed: int) -> Epochs:
    count = len(examples)
    if options.type == "repeat_factor":
        return RepeatedEpochs(
            repeat_factors(*examples.image_labels(), count, options.repeat_thresh), seed
        )
    shuffled = ShuffledEpochs(count, seed)
    if options.type == "shuffle":
        return shuffled
    if count < step:
        raise UsageError(
            f"training.sampler.type=epoch leaves nothing of {count} images, where a step takes "
            f"{step}: lower training.images_per_batch, or take type=shuffle"
        )
    return WholeSteps(shuffled, step)


class _Shifted:
    """A stream whose indices begin elsewhere."""

    def __init__(self, stream: Stream, by: int) -> None:
        self._stream, self._by = stream, by

    def indices(self, start: int, stop: int) -> NDArray[np.int64]:
        return self._stream.indices(start, stop) + self._by

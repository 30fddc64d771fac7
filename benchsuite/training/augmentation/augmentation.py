"""A recipe's augmentations: built from their tables, and applied so that a seed says it all.

A table names a registered transform and its options:

    {"type": "RandomFlip", "prob": 0.5}

An option that is such a table itself, or a list of them, is made a transform first.

A transform is a ``torchvision.transforms.v2.Transform`` that takes a sample, the dict of
``samples`` beside this module. It draws from torch's, NumPy's or Python's global generator. One
that makes its sample of several (mosaic, copy-paste) says in an attribute ``examples_needed`` how
many others it may use; it is called with a sequence of samples, its own first. The others have
passed through the transforms before it; they are loaded when they are first looked at, and not at
all where they are not. A transform that cannot do without a field of the target that the tasks do
not need names it in ``fields_needed`` (``("masks",)``).
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from torchvision.transforms import v2

from benchsuite.errors import UsageError, unknown_name
from benchsuite.plugins import registry
from benchsuite.resolve import use
from benchsuite.specs import KeypointLayout, TransformSpec
from benchsuite.training.augmentation.sample_instances import Sample
from benchsuite.training.augmentation.samples import example_of, sample_of
from benchsuite.training.data.example import Example

SampleTransform = Callable[[Any], Sample]

FIELDS_OF_TASKS: Mapping[str, tuple[str, ...]] = {
    "segm": ("masks",),
    "keypoints": ("keypoints",),
    "semantic": ("semantic",),
    "panoptic": ("masks", "semantic"),
}
"""What a model of a task learns beside boxes."""

TASK_OF_FIELD: Mapping[str, str] = {
    "masks": "segm",
    "keypoints": "keypoints",
    "semantic": "semantic",
}
"""The task whose truth fills a field of a target."""


class Augmentation:
    """Transforms of an example, one after the other.

    Args:
        transforms: see the module.
        tasks: those of the model; what none of them learns is neither transformed nor kept.
        flip_pairs: pairs of keypoints that change places in a mirrored image.
        recompute_boxes: whether boxes are made anew round the transformed masks.

    Attributes:
        fields_read: which of ``samples.FIELDS`` an example must have for it.
        tasks_read: the tasks whose truth an example must have for it: those it was built for, and
            ``"segm"`` where masks are needed for something else.
    """

    def __init__(
        self,
        transforms: Sequence[SampleTransform],
        *,
        tasks: Sequence[str] = (),
        flip_pairs: tuple[tuple[int, int], ...] = (),
        recompute_boxes: bool = False,
    ) -> None:
        self.transforms = tuple(transforms)
        self.flip_pairs = flip_pairs
        self.recompute_boxes = recompute_boxes
        self.fields = {"proposals"}.union(*(FIELDS_OF_TASKS.get(task, ()) for task in tasks))
        self._needed = {name for each in transforms for name in getattr(each, "fields_needed", ())}
        if recompute_boxes:
            self._needed.add("masks")
        self.fields_read = self.fields | self._needed
        further = {TASK_OF_FIELD[field] for field in self._needed - self.fields}
        self.tasks_read = (*tasks, *sorted(further))

    def __call__(self, example: Example, seed: int, other: Callable[[int], Example]) -> Example:
        """The example as a model shall see it.

        Args:
            example: one of the training set, unchanged.
            seed: everything that is drawn follows from it; no global generator is changed.
            other: ``other(k)`` is the k-th further example of this draw, for transforms that need
                any.

        Raises:
            UsageError: the example lacks what a transform needs.
            ContractError: a transform made something that is no example any more.
        """
        with seeded(seed):
            sample = self._transformed(example, self.transforms, map(other, count()))
        done = example_of(sample, example, recompute_boxes=self.recompute_boxes)
        if unneeded := self.fields_read - self.fields:
            target = replace(done.target, **dict.fromkeys(unneeded))
            done = replace(done, target=target)
        return done

    def _transformed(
        self, example: Example, transforms: Sequence[SampleTransform], others: Iterator[Example]
    ) -> Sample:
        for field in self._needed:
            if getattr(example.target, field) is None:
                raise UsageError(f"an augmentation needs {field}, and the dataset has none")
        sample = sample_of(example, self.fields_read, self.flip_pairs)
        for place, transform in enumerate(transforms):
            needed: int = getattr(transform, "examples_needed", 0)
            if not needed:
                sample = transform(sample)
                continue
            load = partial(self._next, transforms[:place], others)
            sample = transform(LazySamples(sample, needed, load))
        return sample

    def _next(self, transforms: Sequence[SampleTransform], others: Iterator[Example]) -> Sample:
        return self._transformed(next(others), transforms, others)


class LazySamples(Sequence[Sample]):
    """A sample and others, each of which is made when it is first looked at."""

    def __init__(self, first: Sample, others: int, load: Callable[[], Sample]) -> None:
        self._loaded = [first]
        self._count = 1 + others
        self._load = load

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        places = range(self._count)[index]
        last = max(places, default=-1) if isinstance(places, range) else places
        while len(self._loaded) <= last:
            self._loaded.append(self._load())
        return self._loaded[index] if isinstance(places, int) else [self[i] for i in places]


def build_augmentation(
    augmentations: Sequence[Mapping[str, Any]],
    *,
    tasks: Sequence[str],
    keypoints: KeypointLayout | None = None,
    recompute_boxes: bool = False,
) -> Augmentation:
    """The augmentation that a recipe's tables name.

    Args:
        augmentations: the tables, in the order of application.
        tasks: those of the model; what none of them learns is neither transformed nor kept.
        keypoints: the dataset's layout, for what changes places in a mirrored image.
        recompute_boxes: whether boxes are made anew round the transformed masks.

    Raises:
        UsageError: no such transform or option, or a value that the transform does not take.
    """
    transforms: list[SampleTransform] = []
    for table in augmentations:
        transforms += _in_a_row(build_transform(table))
    return Augmentation(
        transforms,
        tasks=tasks,
        flip_pairs=keypoints.flip_pairs if keypoints is not None else (),
        recompute_boxes=recompute_boxes,
    )


def build_transform(table: Mapping[str, Any]) -> SampleTransform:
    """The transform that one table names.

    Raises:
        UsageError: see ``build_augmentation``.
    """
    options = dict(table)
    name = options.pop("type", None)
    if not isinstance(name, str):
        raise UsageError(f"an augmentation must name its transform as type = ..., unlike {table}")
    spec: TransformSpec = registry().find("transforms", name)
    factory = use(spec.factory, f"transform {name!r}")
    _check_options(name, factory, options)
    options = {key: _with_transforms(value) for key, value in options.items()}
    try:
        transform: SampleTransform = factory(**options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"transform {name!r} cannot be made of {options}: {error}") from error
    if not isinstance(transform, v2.Compose):
        _check_nothing_mixes(name, options.values())
    return transform


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, torch's (CPU), NumPy's and Python's global generators follow from ``seed``; after
    it they go on as if nothing had been."""
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002 (a stranger's transform may use it)
    for_torch, for_python, for_numpy = np.random.SeedSequence(seed).generate_state(3).tolist()
    torch.default_generator.manual_seed(for_torch)
    random.seed(for_python)
    np.random.seed(for_numpy)  # noqa: NPY002
    try:
        yield
    finally:
        torch.set_rng_state(torch_state)
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def _in_a_row(transform: SampleTransform) -> list[SampleTransform]:
    """A transform, or those that it is a mere list of."""
    if isinstance(transform, v2.Compose):
        return [each for part in transform.transforms for each in _in_a_row(part)]
    return [transform]


def _check_nothing_mixes(name: str, options: Iterable[Any]) -> None:
    """Others are taken from what stands before a mixing transform in the list of augmentations, and
    within another transform there is no such list."""
    for value in options:
        for transform in value if isinstance(value, list) else [value]:
            if any(hasattr(each, "examples_needed") for each in _in_a_row(transform)):
                raise UsageError(
                    f"transform {name!r} is given one that mixes several examples; name that one "
                    "in the list of augmentations itself"
                )


def _with_transforms(value: Any) -> Any:
    """An option's value, tables of transforms made transforms."""
    if isinstance(value, Mapping) and "type" in value:
        return build_transform(value)
    if isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        return [_with_transforms(each) for each in value]
    return value


def _check_options(name: str, factory: Callable[..., Any], options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return
    known = [each.name for each in parameters]
    for key in options:
        if key not in known:
            raise unknown_name(f"option of transform {name}", key, known)
    for each in parameters:
        if each.default is inspect.Parameter.empty and each.name not in options:
            raise UsageError(f"transform {name!r} must be told {each.name}")

"""A model in memory taken to a dataset as ``benchsuite run`` takes its file: the same numbers.

Loading, prediction, columns, matching and values are the very functions of the corridor. Several
processes share the images batch by batch and match their own; the match tables are put together
and scored once, which is to the bit what one process comes to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

import pyarrow as pa

from benchsuite.errors import ContractError, UsageError, unknown_name
from benchsuite.inference import batches, predict_batch
from benchsuite.pairing import choose_metrics, pair_categories, shared_tasks
from benchsuite.predictions.to_columns import PredictionColumns, gather_columns, to_columns
from benchsuite.progress import ShowsProgress, no_progress
from benchsuite.protocols import Model, Predictions, Truth
from benchsuite.scoring import match, score_matches, task_predictions, truth_of
from benchsuite.training.data.training_set import TrainingSet
from benchsuite.training.options import TrainingOptions, ValidationOptions
from benchsuite.training.processes.ranks import (
    broadcast_json,
    gather_tables,
    own_turns,
    rank,
    world_size,
)
from benchsuite.training.validation.evaluation_mode import evaluation_mode
from benchsuite.training.validation.validation_loss import TOTAL, ValidationLoss

if TYPE_CHECKING:
    from torch import nn

    from benchsuite.metric_selection import ResolvedMetric
    from benchsuite.records import ImageRecord
    from benchsuite.resolve import OpenedDataset, ResolvedModel
    from benchsuite.specs import Category

BATCH_SIZE = 1
"""Images a batch, as ``run`` has it: padding in a batch can change predictions."""

DEFAULTS = ValidationOptions()


@dataclass(frozen=True, slots=True)
class Best:
    """The value that tells which of several checkpoints is the best one.

    Attributes:
        name: ``"<prefix>/<value>"``.
        higher_is_better: how to compare.
    """

    name: str
    higher_is_better: bool

    def improves(self, value: float, best: float | None) -> bool:
        """Whether ``value`` is better than the best so far. What is no number never is."""
        if isnan(value):
            return False
        if best is None:
            return True
        return value > best if self.higher_is_better else value < best


@dataclass(frozen=True, slots=True)
class Validation:
    """What one validation came to.

    Attributes:
        values: ``"<prefix>/<value>"`` to number, unscaled, named as everywhere; the losses too,
            where they were measured.
        images: how many were predicted.
        best: which of the values counts for the best checkpoint.
    """

    values: Mapping[str, float]
    images: int
    best: Best

    @property
    def score(self) -> float:
        """The value that counts for the best checkpoint."""
        return self.values[self.best.name]


def open_validator(
    resolved: ResolvedModel,
    categories: Sequence[Category],
    opened: OpenedDataset,
    options: TrainingOptions,
    *,
    show: ShowsProgress = no_progress,
) -> Validator:
    """The validator of a training: with losses, where its options want them.

    Raises:
        InputError: losses are wanted, and the truth of the dataset cannot be learnt from.
        UsageError, InputError: as of ``Validator``.
    """
    loss = None
    if options.validation.losses:
        examples = TrainingSet(opened, categories, tasks=resolved.spec.tasks, options=options.data)
        limit = options.validation.limit
        loss = ValidationLoss(examples, seed=options.seed, limit=limit, show=show)
    return Validator(resolved, categories, opened, options.validation, loss=loss, show=show)


class Validator:
    """Takes a model in memory to a dataset, as often as it is called.

    Args:
        resolved: what the model was built of.
        categories: what its labels mean.
        opened: the dataset, opened for the model's tasks.
        options: how many images, and which value chooses the best checkpoint: one of a metric or
            ``loss/total``; empty: the primary one of the model's last task that is scored.
        loss: measures the losses too (a ``ValidationLoss``).
        show: shows progress, on rank 0.

    Raises:
        UsageError: model and dataset share no task, there is no such metric, value or image.
        InputError: they have no category in common.
    """

    def __init__(
        self,
        resolved: ResolvedModel,
        categories: Sequence[Category],
        opened: OpenedDataset,
        options: ValidationOptions = DEFAULTS,
        *,
        loss: Callable[[nn.Module], Mapping[str, float]] | None = None,
        show: ShowsProgress = no_progress,
    ) -> None:
        if options.limit is not None and options.limit < 1:
            raise UsageError(f"training.validation.limit must be at least 1, not {options.limit}")
        tasks = shared_tasks(resolved.spec, opened)
        _, mapping = pair_categories(categories, opened, tasks)
        everything = opened.dataset.images()
        if not everything:
            raise UsageError(f"dataset {opened.title!r} has no images: nothing to validate on")
        self.opened = opened
        self.records: Sequence[ImageRecord] = everything[: options.limit]
        self.metrics: Sequence[ResolvedMetric] = choose_metrics(resolved, opened, tasks)
        self._category_ids = mapping.category_ids
        self._loss, self._show = loss, show
        self._truths: dict[str, Truth] = {}
        self.best = self._choose_best(options.metric, tasks)

    def __call__(self, model: nn.Module) -> Validation:
        """The values of a model; every rank must call it, and gets them all.

        Args:
            model: satisfies ``benchsuite.protocols.Model`` and is not wrapped. It is left in the
                mode in which it came.
        """
        if not isinstance(model, Model):
            raise ContractError(f"{type(model).__name__} has no predict(images): no validation")
        with evaluation_mode(model):
            predictions = self._predict(model)
            losses = {} if self._loss is None else self._loss(model)
        values: dict[str, float] = {}
        for metric in self.metrics:
            matches = gather_tables(self._match(metric, predictions))
            values |= broadcast_json(self._score(metric, matches) if rank() == 0 else {})
        return Validation({**values, **losses}, len(self.records), self.best)

    def _predict(self, model: Model) -> Predictions:
        """This rank's share of the images, as columns."""
        every = list(batches(self.records, 0, BATCH_SIZE))
        converted: list[PredictionColumns] = []
        count = 0
        show = self._show if rank() == 0 else no_progress
        with show("validating", len(self.records)) as shown:
            for place, counts in own_turns(len(every)):
                index, records = every[place]
                predicted = predict_batch(model, self.opened, index, records, lambda: None)
                for record, prediction, _ in predicted if counts else ():
                    columns = to_columns(record, prediction, self._category_ids, count)
                    count += columns.instances.num_rows
                    converted.append(columns)
                # Each of the other ranks has done as much.
                shown.advance(sum(len(each) for _, each in every[place : place + world_size()]))
        return gather_columns(converted)

    def _match(self, metric: ResolvedMetric, predictions: Predictions) -> pa.Table:
        task = metric.spec.task
        return match(metric, self._truth(task), task_predictions(predictions, task))

    def _score(self, metric: ResolvedMetric, matches: Sequence[pa.Table]) -> dict[str, float]:
        """The values of a metric, of the match tables of all ranks."""
        truth = self._truth(metric.spec.task)
        return score_matches(metric, truth, pa.concat_tables(matches)).named()

    def _truth(self, task: str) -> Truth:
        """Read once: a training validates often."""
        if task not in self._truths:
            self._truths[task] = truth_of(self.opened.dataset, task)
        return self._truths[task]

    def _choose_best(self, name: str, tasks: Sequence[str]) -> Best:
        if not name:
            of_task = {each.spec.task: each.spec for each in reversed(self.metrics)}
            spec = next(of_task[task] for task in reversed(tasks) if task in of_task)
            return Best(f"{spec.value_prefix}/{spec.primary}", spec.higher_is_better)
        if name == TOTAL and self._loss is not None:
            return Best(TOTAL, higher_is_better=False)
        # What a metric's values are called shows when it scores, if only no images.
        nothing = gather_columns(())
        higher_is_better = {
            value: metric.spec.higher_is_better
            for metric in self.metrics
            for value in self._score(metric, [self._match(metric, nothing)])
        }
        if name in higher_is_better:
            return Best(name, higher_is_better[name])
        raise unknown_name("value of a validation", name, higher_is_better)

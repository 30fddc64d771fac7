"""A model beside a dataset: the tasks that both know, what scores them, what the labels mean.

``run`` settles this of a model that it is going to build, training of one that it has in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchsuite.categories import CategoryMap, map_categories, one_category, scored_categories
from benchsuite.errors import UsageError
from benchsuite.metric_selection import ResolvedMetric, resolve_metrics
from benchsuite.options import merge
from benchsuite.scoring import serves

if TYPE_CHECKING:
    from benchsuite.resolve import OpenedDataset, ResolvedModel
    from benchsuite.specs import Category, ModelSpec


def shared_tasks(model: ModelSpec, opened: OpenedDataset) -> tuple[str, ...]:
    """The tasks of a model that a dataset has truth for, in the model's order.

    Raises:
        UsageError: there is none.
    """
    tasks = tuple(task for task in model.tasks if serves(opened.dataset.tasks, task))
    if not tasks:
        raise UsageError(
            f"model {model.name!r} predicts {', '.join(model.tasks)}, dataset "
            f"{opened.title!r} has truth for {', '.join(opened.dataset.tasks)}: nothing to score"
        )
    return tasks


def choose_metrics(
    model: ResolvedModel,
    opened: OpenedDataset,
    tasks: Sequence[str],
    wanted: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> list[ResolvedMetric]:
    """The metrics that score ``tasks``: those named, else the dataset's own.

    Args:
        options: of all metrics, over those that the recipe's numbers were published by where it is
            the dataset that they were published on.

    Raises:
        UsageError: an unknown metric or option, or nothing scores the tasks.
    """
    given = options or {}
    if model.recipe is not None and model.recipe.dataset == opened.spec.name:
        given = merge(model.body.get("metric_options", {}), given)
    metrics = resolve_metrics(opened.spec, tasks, wanted, given)
    if not metrics:
        raise UsageError(f"no metric scores {', '.join(tasks)} on {opened.title!r} (see --metric)")
    return metrics


def pair_categories(
    stated: Sequence[Category] | None, opened: OpenedDataset, tasks: Sequence[str]
) -> tuple[tuple[Category, ...], CategoryMap]:
    """What a model's labels mean, and which of the dataset's categories each is.

    Args:
        stated: what they mean where that is settled; ``None``: what the dataset has.

    Raises:
        InputError: not one name is in common.
    """
    scored = scored_categories(opened.dataset.categories, tasks)
    categories = tuple(stated or scored)
    map_labels = one_category if tuple(tasks) == ("proposals",) else map_categories
    return categories, map_labels(categories, scored)

"""What a reader of a run's numbers has to know, told before it and kept beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchsuite import plugins

if TYPE_CHECKING:
    from benchsuite.categories import CategoryMap
    from benchsuite.runs import RunPlan
    from benchsuite.weights import Weights


def find_warnings(
    plan: RunPlan, weights: Weights, mapping: CategoryMap, environment: Mapping[str, Any]
) -> list[str]:
    """What a reader of the number has to know."""
    warnings = []
    if weights.random:
        warnings.append(f"random weights, the numbers mean nothing: {_remedy(plan)}")
    if plan.partial:
        warnings.append(
            f"partial, not comparable: {len(plan.records)} of {plan.n_dataset_images} images"
        )
    unscored = sorted(set(plan.tasks) - {each.spec.task for each in plan.metrics})
    if unscored and not plan.request.metrics:
        warnings.append(
            f"{_some(unscored)}: predicted and stored, but nothing scores it on {plan.opened.name}"
        )
    if plan.request.batch_size > 1:
        warnings.append(
            f"batch {plan.request.batch_size}: padding can change predictions; published numbers "
            "are of batch 1"
        )
    if mapping.dropped:
        warnings.append(
            f"{len(mapping.dropped)} of the model's categories are not in the dataset, their "
            f"predictions are dropped: {_some(mapping.dropped)}"
        )
    if mapping.unreachable:
        warnings.append(
            f"{len(mapping.unreachable)} of the dataset's categories cannot be predicted by the "
            f"model: {_some(mapping.unreachable)}"
        )
    return warnings + busy(environment)


def busy(environment: Mapping[str, Any]) -> list[str]:
    """What a reader of times has to know."""
    if environment["load_average"] <= 0.5 * environment["cores"]:
        return []
    load, cores = environment["load_average"], environment["cores"]
    return [f"the machine is busy (load {load} on {cores} cores): times may be too long"]


def _remedy(plan: RunPlan) -> str:
    """Where trained weights are to be had."""
    trained = [
        recipe
        for recipe in plugins.registry().recipes.values()
        if recipe.model == plan.model.spec.name and recipe.weights_url
    ]
    chosen = [each for each in trained if each.default] or trained
    names = [f"{each.name} of {each.dataset}" for each in chosen]
    known = f", or {_some(names, 3)}" if names else ""
    return f"give trained ones with --weights (a file, a URL{known})"


def _some(names: Sequence[str], count: int = 8) -> str:
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")

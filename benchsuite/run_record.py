"""What is recorded of a run beside its numbers: its row, and what the numbers hang on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchsuite._version import __version__
from benchsuite.options import options_to_json
from benchsuite.protocols import PublishedDataset
from benchsuite.recording import as_json, image_list_sha256
from benchsuite.resolve import OpenedDataset, read_spec_options
from benchsuite.results import TOLERANCE, verdict

if TYPE_CHECKING:
    from benchsuite.runs import Prepared, RunPlan
    from benchsuite.scoring import Scored
    from benchsuite.weights import Weights


def run_row(
    ready: Prepared, scored: Sequence[Scored], published: Mapping[str, float]
) -> dict[str, Any]:
    """The row of ``schemas.RUNS``, but for what counts and names this one execution."""
    plan, request, opened = ready.plan, ready.plan.request, ready.plan.opened
    weights, device = ready.weights, ready.device
    values = {name: value for each in scored for name, value in each.named().items()}
    return {
        "result_id": ready.result_id,
        "verb": request.verb,
        "model": plan.model.spec.name,
        "model_licence": plan.model.spec.licence,
        "model_options": as_json(ready.identity["model_options"]),
        "recipe": plan.model.recipe.name if plan.model.recipe else None,
        "weights_name": weights.name,
        "weights_sha256": weights.sha256,
        "weights_random": weights.random,
        "parameters": ready.described.get("parameters"),
        "dataset": opened.name,
        "split": opened.split,
        "dataset_options": as_json(opened.options),
        "annotation_sha256": ready.identity["annotation_sha256"],
        "images_sha256": ready.identity["images_sha256"],
        "n_images": len(plan.records),
        "n_dataset_images": plan.n_dataset_images,
        "partial": plan.partial,
        "category_map": as_json(ready.mapping.to_json()),
        "tasks": [each.spec.task for each in scored],
        "evaluators": as_json({each.spec.name: each.evaluator for each in scored}),
        "preprocessing": as_json(ready.described.get("preprocessing", {})),
        **request.execution.to_json(),
        "batch_size": request.batch_size,
        "seed": request.seed,
        "device": device.name,
        "device_name": device.hardware,
        "threads": device.threads,
        "warmup": request.warmup,
        "verdict": verdict(
            values,
            published,
            tolerance=plan.model.body.get("tolerance", TOLERANCE),
            random=weights.random,
            partial=plan.partial,
        ),
        "warnings": list(ready.warnings),
        "command": request.command,
        "version": __version__,
    }


def published_numbers(plan: RunPlan, weights: Weights) -> Mapping[str, float]:
    """The recipe's published numbers, where its own weights run on what they are for: the first
    split of its dataset, as it was published."""
    recipe, opened = plan.model.recipe, plan.opened
    if recipe is None or weights.name != recipe.name or recipe.dataset != opened.spec.name:
        return {}
    if opened.split != opened.spec.splits[0] or not _as_published(opened):
        return {}
    return dict(recipe.published)


def _as_published(opened: OpenedDataset) -> bool:
    """By the hash of its annotations, where that is known; else by its options."""
    dataset, spec = opened.dataset, opened.spec
    if isinstance(dataset, PublishedDataset) and dataset.published_annotation_sha256:
        return dataset.annotation_sha256 == dataset.published_annotation_sha256
    defaults = read_spec_options(spec.options, {}, "dataset", spec.name)
    return opened.options == options_to_json(defaults)


def identity_fields(
    plan: RunPlan, weights: Weights, described: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything the numbers depend on. Device and threads are recorded, but are not part of it."""
    request, opened = plan.request, plan.opened
    return {
        "version": __version__,
        "model": plan.model.spec.name,
        "model_options": options_to_json(plan.model.options),
        "described": dict(described),
        "weights": weights.sha256 or "random",
        "dataset": opened.name,
        "split": opened.split,
        "dataset_options": dict(opened.options),
        "annotation_sha256": opened.dataset.annotation_sha256,
        "images_sha256": image_list_sha256(plan.records),
        "scorer": request.scoring.scorer,
        "evaluators": {each.spec.name: each.identity for each in plan.metrics},
        # At their defaults the other options go unnamed, so that results keep their names.
        "precision": request.execution.precision,
        **request.execution.asked(),
        "batch_size": request.batch_size,
        "seed": request.seed,
    }

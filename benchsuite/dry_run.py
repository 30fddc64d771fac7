"""What a run would do: everything that is known without downloading, building or predicting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchsuite.options import options_to_json

if TYPE_CHECKING:
    from benchsuite.runs import RunPlan


def explain(plan: RunPlan) -> dict[str, Any]:
    """A flat, JSON-able account of a plan."""
    from benchsuite.weights import locate_weights

    request, opened = plan.request, plan.opened
    return {
        "model": plan.model.spec.name,
        "recipe": plan.model.recipe.name if plan.model.recipe else None,
        "model_options": options_to_json(plan.model.options),
        "weights": locate_weights(plan.model.weights, plan.model.recipe, plan.model.body),
        "dataset": opened.title,
        "dataset_options": dict(opened.options),
        "annotation_sha256": opened.dataset.annotation_sha256,
        "n_images": len(plan.records),
        "n_dataset_images": plan.n_dataset_images,
        "partial": plan.partial,
        "tasks": list(plan.tasks),
        "metrics": [each.spec.name for each in plan.metrics],
        **request.execution.to_json(),
        "batch_size": request.batch_size,
        "seed": request.seed,
        "out": str(request.out),
    }

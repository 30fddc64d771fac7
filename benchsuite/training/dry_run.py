"""What a training would do: everything that is known before its first step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchsuite.devices import use_device
from benchsuite.inference import build_model
from benchsuite.options import options_to_json
from benchsuite.protocols import TrainableModel
from benchsuite.resolve import keypoint_layout
from benchsuite.training.optimization.schedule import learning_rate_factor
from benchsuite.training.start.initial_weights import locate_initial_weights

if TYPE_CHECKING:
    from torch import nn

    from benchsuite.training.plan import TrainingPlan


def explain(plan: TrainingPlan) -> dict[str, Any]:
    """A flat, JSON-able account of a plan. The model is built, its weights are not fetched.

    Raises:
        UsageError: what it is to start from cannot be understood.
        DataMissingError: that is a file which is not there.
    """
    options = plan.options
    lr = options.optimizer.lr
    factors = [
        learning_rate_factor(step, options.iterations, options.schedule)
        for step in (0, options.iterations - 1)
    ]
    return {
        "recipe": plan.recipe.name,
        "model": plan.model.spec.name,
        "model_options": options_to_json(plan.model.options),
        "categories": [category.name for category in plan.categories],
        "init": locate_initial_weights(options.init),
        **_parameters(plan),
        "dataset": plan.title,
        "dataset_images": sum(len(opened.dataset.images()) for opened in plan.datasets),
        "training_images": plan.images,
        "dropped": [dict(each.dropped) for each in plan.training_sets],
        "validation": None if plan.validation is None else plan.validation.title,
        "validate_every": options.validate_every,
        "iterations": options.iterations,
        "images_per_batch": options.images_per_batch,
        "micro_batches": plan.micro_batches,
        "epochs": round(plan.epochs(options.iterations), 2),
        "optimizer": options.optimizer.type,
        "lr": {
            "peak": lr,
            "first_step": lr * factors[0],
            "last_step": lr * factors[1],
            "falls_at": list(options.schedule.steps),
        },
        "note": plan.note,
        "precision": options.precision,
        "augmentations": [dict(each) for each in options.augmentations],
        "processes": plan.processes.world_size,
        "workers": options.workers,
        "seed": options.seed,
        "out": str(plan.out),
    }


def _parameters(plan: TrainingPlan) -> dict[str, int]:
    """How many numbers train, and how many stay as they are."""
    device = use_device("cpu", threads=plan.request.threads, seed=plan.options.seed)
    model: Any = build_model(
        plan.model,
        plan.categories,
        weights=None,
        device=device,
        seed=plan.options.seed,
        keypoints=keypoint_layout(plan.datasets[0]),
    )
    module: nn.Module = model
    every = sum(parameter.numel() for parameter in module.parameters())
    trained = 0
    if isinstance(model, TrainableModel):
        groups = model.parameter_groups()
        trained = sum(each.numel() for group in groups for each in group.parameters)
    return {"parameters_trained": trained, "parameters_frozen": every - trained}

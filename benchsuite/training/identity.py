"""What a training's outcome hangs on: two with the same identity go the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.errors import UsageError
from benchsuite.options import options_to_json
from benchsuite.training.option_differences import option_differences

if TYPE_CHECKING:
    from benchsuite.training.plan import TrainingPlan

WITHOUT_INFLUENCE = (
    "accumulate",
    "activation_checkpointing",
    "checkpoint_every",
    "log_every",
    "validate_every",
    "validation",
    "workers",
)
"""Training options that may change from one start of a training to the next. The number of
micro-batches, which ``accumulate`` takes part in, is told by itself."""


def training_identity(plan: TrainingPlan) -> dict[str, Any]:
    """JSON-able. Devices, processes and threads are no part of it."""
    training = options_to_json(plan.options)
    return {
        "recipe": plan.recipe.name,
        "model": plan.model.spec.name,
        "model_options": options_to_json(plan.model.options),
        "categories": [asdict(category) for category in plan.categories],
        "datasets": [
            {
                "name": opened.name,
                "split": opened.split,
                "options": dict(opened.options),
                "annotation_sha256": opened.dataset.annotation_sha256,
            }
            for opened in plan.datasets
        ],
        "limit": plan.request.limit,
        "micro_batches": plan.micro_batches,
        "training": {key: training[key] for key in training if key not in WITHOUT_INFLUENCE},
    }


def check_identity(there: Mapping[str, Any], here: Mapping[str, Any], out: Path) -> None:
    """Refuse to go on with a training that is another one.

    Raises:
        UsageError: it is; all differences are named.
    """
    if found := option_differences(there, here):
        raise UsageError(
            f"{out} holds another training, which cannot be gone on with: {'; '.join(found)}. "
            "Repeat the command in its training.json with --resume, or choose another --out"
        )

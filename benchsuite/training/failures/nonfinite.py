"""A loss or a gradient that is no number: the training stops, and what led to it is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.errors import BenchsuiteError
from benchsuite.files.replaced_folder import replaced_folder
from benchsuite.training.checkpoint import write_checkpoint_files

if TYPE_CHECKING:
    from torch import Tensor

    from benchsuite.training.step import BatchLosses

NONFINITE = "nonfinite"
REPORT = "report.json"


class NonFiniteError(BenchsuiteError):
    """A loss or gradient is NaN or infinite. The message names images and remedies."""


def batch_report(losses: BatchLosses, rank: int) -> dict[str, Any]:
    """What is kept of a micro-batch, JSON-able: numbers that are none as text."""
    batch = losses.batch
    values = dict(zip(losses.names, losses.values.tolist(), strict=True))
    return {
        "rank": rank,
        "image_ids": list(batch.image_ids),
        "sizes": [[image.height, image.width] for image in batch.images],
        "objects": [len(target) for target in batch.targets],
        "seed": batch.seed,
        "losses": {name: plain(value) for name, value in values.items()},
        "finite": all(math.isfinite(value) for value in values.values()),
    }


def plain(value: float) -> float | str:
    """A number as JSON has it; ``"nan"`` and ``"inf"`` where it has none."""
    return value if math.isfinite(value) else str(value)


def keep_nonfinite(
    folder: Path,
    step: int,
    batches: Sequence[Mapping[str, Any]],
    lr: float,
    grad_norm: float | None,
    weights: Mapping[str, Tensor],
    state: Mapping[str, Any],
) -> None:
    """Write the report, and a checkpoint of before the step.

    Args:
        folder: it is replaced.
        batches: ``batch_report`` of all micro-batches of all processes.
        grad_norm: ``None`` where the losses themselves are not finite.
    """
    report = {
        "step": step,
        "lr": lr,
        "grad_norm": None if grad_norm is None else plain(grad_norm),
        "batches": list(batches),
    }
    with replaced_folder(folder) as new:
        write_checkpoint_files(new, weights, state, step)
        text = json.dumps(report, indent=1, allow_nan=False)
        (new / REPORT).write_text(text, encoding="utf-8", newline="\n")


def nonfinite_error(
    step: int,
    batches: Sequence[Mapping[str, Any]],
    lr: float,
    grad_norm: float | None,
    folder: Path,
    precision: str,
) -> NonFiniteError:
    """The error for the user."""
    guilty = [batch for batch in batches if not batch["finite"]] or list(batches)
    terms = sorted(
        {
            name
            for batch in guilty
            for name, value in batch["losses"].items()
            if isinstance(value, str)
        }
    )
    what = f"{', '.join(terms)} is" if terms else f"the gradients' norm is {grad_norm}: it is"
    ids = [image_id for batch in guilty for image_id in batch["image_ids"]]
    named = ", ".join(str(image_id) for image_id in ids[:16]) + (", …" if len(ids) > 16 else "")
    tries = "a lower training.optimizer.lr, a longer training.schedule.warmup_iters, "
    tries += "training.clip_gradients.value=1"
    if precision == "fp16":
        tries += ", --precision bf16 or fp32"
    return NonFiniteError(
        f"step {step}: {what} not finite (learning rate {lr:g}, images {named}). Weights and state "
        f"of before that step, seeds and losses are kept in {folder}. Look at these images "
        f"(benchsuite data show), or try {tries}"
    )

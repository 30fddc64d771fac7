"""What stands before the first step: devices, model, optimiser, and where to go on from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchsuite.devices import Device, use_device
from benchsuite.environment import versions
from benchsuite.errors import InputError, UsageError
from benchsuite.files import durable
from benchsuite.inference import build_model
from benchsuite.progress import progress
from benchsuite.protocols import CountingModel, Model, StartedModel
from benchsuite.resolve import keypoint_layout
from benchsuite.training.checkpoint import LAST, has_checkpoint, read_state, read_weights
from benchsuite.training.data.joined_sets import JoinedSets
from benchsuite.training.identity import check_identity, training_identity
from benchsuite.training.loading.loader import Loader, Share, open_loader
from benchsuite.training.order.sampling import build_stream
from benchsuite.training.processes.fabric import open_fabric
from benchsuite.training.start.initial_weights import fetch_initial_weights
from benchsuite.training.state import TrainingState
from benchsuite.training.trainee import Trainee
from benchsuite.training.validation.validation import Validator, open_validator

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from benchsuite.training.plan import TrainingPlan

DESCRIPTION = "training.json"

MANY_EPOCHS = 1000
"""No published training has half as many."""


@dataclass(slots=True)
class Begun:
    """A training that is ready for its next step."""

    plan: TrainingPlan
    fabric: Fabric
    device: Device
    trainee: Trainee
    state: TrainingState
    validator: Validator | None

    def open_loader(self, steps: int | None = None) -> Loader:
        """What brings this process's micro-batches, from the next step on.

        Args:
            steps: of so many steps, whether they belong to the training or would come after it;
                ``None``: of those that are left.
        """
        plan, options, processes = self.plan, self.plan.options, self.plan.processes
        size = plan.images_per_micro_batch
        stream = build_stream(
            plan.examples,
            options.sampler,
            images_per_micro_batch=size,
            images_per_batch=options.images_per_batch,
            seed=options.seed,
        )
        return open_loader(
            JoinedSets(plan.examples),
            stream,
            seed=options.seed,
            share=Share(size, options.accumulate, processes.rank, processes.world_size),
            start_step=self.state.step,
            stop_step=options.iterations if steps is None else self.state.step + steps,
            augmentation=plan.augmentation,
            workers=options.workers,
        )


def begin(plan: TrainingPlan, tell: Callable[[str], None]) -> Begun:
    """Build everything, and go on from the last checkpoint where that was asked for.

    Raises:
        UsageError: a training lies there already, or another one than is to be gone on with.
        DataMissingError: there is none to go on with, or the initial weights are not there.
    """
    request, options = plan.request, plan.options
    device = use_device(_device_name(plan), threads=request.threads, seed=options.seed)
    fabric = open_fabric(
        device.name, plan.processes, precision=options.precision, strategy=request.strategy
    )
    if plan.processes.is_first:
        _claim(plan)
    fabric.barrier()
    for line in filter(None, (plan.note, _length(plan))):
        tell(line)
    model = _build(plan, device, fabric, tell)
    trainee, state = Trainee(model, options, fabric), TrainingState()
    if request.resume:
        kept = read_state(plan.out / LAST)
        trainee.load_state_dict(kept["trainee"], read_weights(plan.out / LAST))
        state.load_state_dict(kept["training"])
        tell(f"going on after step {state.step} of {options.iterations}")
    validator = None
    if plan.validation is not None:
        validator = open_validator(
            plan.model, plan.categories, plan.validation, options, show=progress
        )
    return Begun(plan, fabric, device, trainee, state, validator)


def _length(plan: TrainingPlan) -> str:
    """What to say of a training that is much longer than anybody means; a recipe for many images
    that is given a few would be."""
    iterations = plan.options.iterations
    if (epochs := plan.epochs(iterations)) < MANY_EPOCHS:
        return ""
    return (
        f"{iterations} steps see each of these {plan.images} images {epochs:.0f} times: "
        "training.iterations says how many steps are enough"
    )


def _build(
    plan: TrainingPlan, device: Device, fabric: Fabric, tell: Callable[[str], None]
) -> Model:
    """The model, with the weights to start from where those of a checkpoint are not taken anyway,
    and told how common its categories are."""
    initial = None
    if not plan.request.resume:
        with fabric.rank_zero_first():
            initial = fetch_initial_weights(plan.options.init)
    model = build_model(
        plan.model,
        plan.categories,
        weights=None,
        device=device,
        seed=plan.options.seed,
        keypoints=keypoint_layout(plan.datasets[0]),
        initial=initial,
    )
    if initial is not None and isinstance(model, StartedModel):
        for line in model.started:
            tell(line)
    if not plan.request.resume and isinstance(model, CountingModel):
        _, labels = JoinedSets(plan.training_sets).image_labels()
        model.set_image_counts(np.bincount(labels, minlength=len(plan.categories)).tolist())
    return model


def _device_name(plan: TrainingPlan) -> str | None:
    """Of several processes on a machine with GPUs each takes its own."""
    name, processes = plan.request.device, plan.processes
    if processes.world_size > 1 and name in (None, "cuda"):
        return f"cuda:{processes.local_rank}" if torch.cuda.is_available() else "cpu"
    return name


def _claim(plan: TrainingPlan) -> None:
    """Hold the folder's training against this one, or make the folder this training's."""
    path, identity = plan.out / DESCRIPTION, training_identity(plan)
    if plan.request.resume:
        if path.is_file():
            check_identity(_read(path)["identity"], identity, plan.out)
        return
    if has_checkpoint(plan.out / LAST):
        raise UsageError(
            f"{plan.out} holds a training already: go on with it (--resume), or write to another "
            "folder (--out)"
        )
    durable.make_folder(plan.out)
    layout = keypoint_layout(plan.datasets[0])
    description = {
        "identity": identity,
        "keypoints": None if layout is None else asdict(layout),
        "command": plan.request.command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "processes": plan.processes.world_size,
        "versions": versions(),
    }
    begun = path.with_name(f".{path.name}")
    begun.unlink(missing_ok=True)
    durable.write_file(begun, json.dumps(description, indent=1).encode())
    begun.replace(path)
    durable.sync_folder(plan.out)


def _read(path: Path) -> dict[str, Any]:
    try:
        described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"is no JSON: {error}", file=path) from None
    return described

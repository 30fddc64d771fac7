"""One training step: forward and backward over a step's micro-batches, and the optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from benchsuite.errors import ContractError
from benchsuite.protocols import StepwiseModel
from benchsuite.training.optimization.gradients import clip_gradients
from benchsuite.training.processes.sharding import whole

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule

    from benchsuite.protocols import TrainableModel
    from benchsuite.records import Image
    from benchsuite.targets import Target
    from benchsuite.training.loading.loader import MicroBatch
    from benchsuite.training.options import ClipGradientsOptions


class Learner(nn.Module):
    """A model as Fabric wraps it: a call computes its losses.

    Args:
        model: a ``TrainableModel`` that is a module.
    """

    def __init__(self, model: TrainableModel) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise ContractError(f"{type(model).__name__} is no torch.nn.Module: it cannot train")
        self.model = model

    def forward(self, batch: Unopened) -> dict[str, Tensor]:
        """Every loss term, weighted: () each."""
        model: Any = self.model
        return dict(model.losses(batch.images, batch.targets))


class Unopened:
    """Images and targets that Fabric does not look into: it would convert the tensors in them, of
    which there are none, and refuse frozen dataclasses."""

    __slots__ = ("images", "targets")

    def __init__(self, images: Sequence[Image], targets: Sequence[Target]) -> None:
        self.images, self.targets = images, targets


@dataclass(frozen=True, slots=True, eq=False)
class BatchLosses:
    """What came of one micro-batch.

    Attributes:
        names: of the terms.
        values: (T,) float32, on the device, without a graph.
    """

    batch: MicroBatch
    names: tuple[str, ...]
    values: Tensor


def accumulate_gradients(
    fabric: Fabric, learner: _FabricModule, micro_batches: Sequence[MicroBatch]
) -> list[BatchLosses]:
    """Forward and backward, one micro-batch after the other.

    Afterwards every parameter's ``grad`` holds, beside what it held before, the gradient of the
    mean over all processes' micro-batches of the sum of the loss terms (times the loss scale, at
    fp16). What a model draws at random hangs on ``MicroBatch.seed``, not on the process.

    Args:
        learner: a ``Learner``, set up by ``fabric``.
        micro_batches: this process's, of one step; equally many on every process.

    Raises:
        ContractError: the model's losses are not a scalar each, or there are none.
    """
    count = len(micro_batches)
    done = []
    for index, batch in enumerate(micro_batches):
        torch.manual_seed(batch.seed)
        # Processes exchange gradients once a step, while those of the last micro-batch are made.
        with fabric.no_backward_sync(learner, enabled=index < count - 1):
            terms = learner(Unopened(batch.images, batch.targets))
            values = _stack(terms)
            fabric.backward(values.sum() / count)
        done.append(BatchLosses(batch, tuple(terms), values.detach()))
    return done


def _stack(terms: Mapping[str, Tensor]) -> Tensor:
    if not terms:
        raise ContractError("the model returned no loss")
    for name, value in terms.items():
        if value.ndim:
            raise ContractError(f"loss {name!r} is no scalar: its shape is {tuple(value.shape)}")
    return torch.stack([value.float() for value in terms.values()])


def step_of(model: object) -> AbstractContextManager[None]:
    """What stands around all micro-batches of a step; for most models nothing does."""
    return model.whole_step() if isinstance(model, StepwiseModel) else nullcontext()


def apply_gradients(
    fabric: Fabric,
    optimizer: torch.optim.Optimizer,
    parameters: Sequence[nn.Parameter],
    clipping: ClipGradientsOptions | None,
) -> Tensor:
    """Clip, step, and let the gradients go.

    Args:
        optimizer: set up by ``fabric``.
        clipping: ``None``: gradients stay as they are.

    Returns:
        () float32: the norm of all gradients before they were clipped. Where it is not finite,
        the weights are as they were.
    """
    precision = fabric.strategy.precision
    precision.unscale_gradients(getattr(optimizer, "optimizer", optimizer))
    norm = gradient_norm(parameters)
    if torch.isfinite(norm) or scales_losses(fabric):
        if clipping is not None:
            clip_gradients(parameters, clipping)
        optimizer.step()
    # Before the next forward, not after it: activations take the memory that gradients had.
    optimizer.zero_grad(set_to_none=True)
    return norm


def scales_losses(fabric: Fabric) -> bool:
    """Whether there is a loss scaler, which skips steps whose gradients overflowed."""
    return getattr(fabric.strategy.precision, "scaler", None) is not None


def gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """() float32: the 2-norm of all gradients as one vector."""
    gradients = [each.grad for each in parameters if each.grad is not None]
    if not gradients:
        return torch.zeros(())
    norms = torch._foreach_norm(gradients)
    norm: Tensor = whole(torch.linalg.vector_norm(torch.stack(norms)))
    return norm

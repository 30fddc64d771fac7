"""The model that is trained, with all that grows with it: optimiser, average, loss scaler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
from torch import Tensor, nn

from benchsuite.errors import ContractError, UsageError
from benchsuite.protocols import RecomputingModel, TrainableModel
from benchsuite.training.optimization.optimizer import build_optimizer
from benchsuite.training.optimization.schedule import learning_rate_factor
from benchsuite.training.optimization.weight_average import WeightAverage
from benchsuite.training.processes.sharding import (
    load_whole_optimizer_state,
    load_whole_state,
    parted_state,
    whole,
    whole_optimizer_state,
    whole_state,
)
from benchsuite.training.step import Learner, apply_gradients, scales_losses

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from benchsuite.training.options import TrainingOptions


class Trainee:
    """A model in training.

    Args:
        model: built, with the weights to start from, on the device; a ``TrainableModel``.
        fabric: launched.

    Raises:
        ContractError: the model cannot train.
        UsageError: an option asks for what the model cannot do.

    Attributes:
        model: as it was given.
        learner: the same as Fabric wraps it; a call computes the losses.
        optimizer: as Fabric wraps it.
        parameters: all that train.
        average: of the weights, or ``None``.
    """

    def __init__(self, model: object, options: TrainingOptions, fabric: Fabric) -> None:
        if not isinstance(model, TrainableModel) or not isinstance(model, nn.Module):
            raise ContractError(
                f"{type(model).__name__} cannot train: it has no losses(images, targets) and "
                "parameter_groups()"
            )
        self.options, self.fabric = options, fabric
        self.model: Any = model
        if options.activation_checkpointing:
            _recompute_activations(model)
        self._layout = _fastest_layout(fabric, options)
        model.to(memory_format=self._layout)
        self.learner = fabric.setup_module(Learner(model))
        self.learner.train()
        # Asked for after the model was wrapped: sharding puts other parameters in their place.
        groups = model.parameter_groups()
        self.parameters = [each for group in groups for each in group.parameters]
        self.optimizer: Any = fabric.setup_optimizers(build_optimizer(groups, options.optimizer))
        self.average = None if options.ema is None else WeightAverage(model, options.ema)

    def set_learning_rate(self, step: int) -> float:
        """Set the learning rates of a step; the optimiser's own, without what groups have apart."""
        factor = learning_rate_factor(step, self.options.iterations, self.options.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        return self.options.optimizer.lr * factor

    def step(self, step: int) -> float:
        """Update the weights by the gradients that they have; these are let go.

        Args:
            step: its number, from 1.

        Returns:
            The norm of all gradients before they were bounded. Where it is not finite and there is
            no loss scaler, the weights are as they were.
        """
        norm = apply_gradients(
            self.fabric, self.optimizer, self.parameters, self.options.clip_gradients
        )
        stepped = bool(torch.isfinite(norm)) or scales_losses(self.fabric)
        if self.average is not None and stepped:
            self.average.update(self.model, step)
        return float(norm)

    @contextmanager
    def as_validated(self) -> Iterator[Any]:
        """The model with the weights that count, averaged where they are averaged, laid out as
        ``run`` has them: the last bits of its predictions hang on that."""
        self.model.to(memory_format=torch.contiguous_format)
        try:
            if self.average is None:
                yield self.model
            else:
                with self.average.in_place(self.model):
                    yield self.model
        finally:
            self.model.to(memory_format=self._layout)

    def weights(self) -> dict[str, Tensor]:
        """The state dict of ``as_validated``, whole; every process must ask for it."""
        if self.average is None:
            return whole_state(self.model)
        return {name: whole(value) for name, value in self.average.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """All that ``load_state_dict`` needs beside ``weights``, tensors and plain values; every
        process must ask."""
        scaler = self.fabric.strategy.precision
        state = {
            "buffers": _unsaved_buffers(self.model),
            "optimizer": whole_optimizer_state(self.optimizer.optimizer),
            "scaler": dict(scaler.state_dict()),
        }
        if self.average is not None:
            # Then what is kept as weights is the average, which nothing is trained from.
            state["trained"] = whole_state(self.model)
        return state

    def load_state_dict(self, state: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Become what another trainee of the same recipe was.

        Args:
            state: its ``state_dict``.
            weights: its ``weights``.
        """
        load_whole_state(self.model, state.get("trained", weights))
        load_whole_optimizer_state(self.optimizer.optimizer, state["optimizer"])
        with torch.no_grad():
            for name, buffer in _unsaved_buffers(self.model).items():
                buffer.copy_(state["buffers"][name])
        self.fabric.strategy.precision.load_state_dict(dict(state["scaler"]))
        if self.average is not None:
            self.average.load_state_dict(parted_state(weights, self.average.state_dict()))


def _unsaved_buffers(model: nn.Module) -> dict[str, Tensor]:
    """Buffers that are no part of a checkpoint: what is counted while training is among them."""
    saved = model.state_dict().keys()
    return {name: buffer for name, buffer in model.named_buffers() if name not in saved}


def _fastest_layout(fabric: Fabric, options: TrainingOptions) -> torch.memory_format:
    """Channels last is how convolutions of GPUs in half precision want their tensors. CPUs would be
    a tenth faster with it, but there PyTorch 2.15 writes beyond its memory in the gradient of a 1x1
    convolution of stride 2, and its group normalisation loses three digits. Parts of a model must
    be contiguous."""
    sharded = isinstance(fabric.strategy, ModelParallelStrategy)
    if fabric.device.type == "cuda" and options.precision != "fp32" and not sharded:
        return torch.channels_last
    return torch.contiguous_format


def _recompute_activations(model: object) -> None:
    if not isinstance(model, RecomputingModel):
        raise UsageError(
            f"training.activation_checkpointing: {type(model).__name__} cannot compute its "
            "activations anew"
        )
    model.recompute_activations()

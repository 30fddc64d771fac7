"""The optimizer of a training: every parameter with the learning rate and weight decay it is due.

Detectron2's rules (``get_default_optimizer_params``), and ViTDet's for layers that learn at
different rates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch
from torch.nn import Parameter

from benchsuite.errors import UsageError
from benchsuite.protocols import ParameterGroup
from benchsuite.training.options import OptimizerOptions, ParameterOverrides


class Settings(NamedTuple):
    """What the optimizer is told of one parameter."""

    lr: float
    weight_decay: float


def build_optimizer(
    groups: Sequence[ParameterGroup], options: OptimizerOptions
) -> torch.optim.Optimizer:
    """The optimizer of the parameters, those with the same settings in one group of it.

    Each group has ``initial_lr``, which a schedule's factor multiplies, and ``param_names``.

    Raises:
        UsageError: there is nothing to train, or the layers are not those that the options are for.
    """
    _check_layers(groups, options)
    together: dict[Settings, list[tuple[str, Parameter]]] = defaultdict(list)
    for name, parameter, settings in parameter_settings(groups, options):
        together[settings].append((name, parameter))
    if not together:
        raise UsageError("the model has no parameters that train: everything is frozen")
    groups_of_optimizer = [
        {"params": parameters, **settings._asdict(), "initial_lr": settings.lr}
        for settings, parameters in together.items()
    ]
    if options.type == "SGD":
        return torch.optim.SGD(
            groups_of_optimizer, momentum=options.momentum, nesterov=options.nesterov
        )
    return torch.optim.AdamW(groups_of_optimizer, betas=options.betas, eps=options.eps)


def parameter_settings(
    groups: Sequence[ParameterGroup], options: OptimizerOptions
) -> Iterator[tuple[str, Parameter, Settings]]:
    """Each parameter's name, the parameter, and its settings.

    What is said later goes over what was said before: of all, of normalisation layers, of layers
    that learn more slowly, of biases, of parameters of a name.
    """
    for group in groups:
        lr, weight_decay = options.lr, options.weight_decay
        if group.of_norms and options.weight_decay_norm is not None:
            weight_decay = options.weight_decay_norm
        if options.layer_decay is not None:
            lr *= options.layer_decay.lr_decay_rate**group.layers_above
        for name, parameter in zip(group.names, group.parameters, strict=True):
            over = _overrides(name, options)
            yield (
                name,
                parameter,
                Settings(
                    lr if over.lr is None else over.lr,
                    weight_decay if over.weight_decay is None else over.weight_decay,
                ),
            )


def _overrides(name: str, options: OptimizerOptions) -> ParameterOverrides:
    """What is said of a parameter by its name, all of it together."""
    lr: float | None = None
    weight_decay: float | None = None
    if name.rpartition(".")[2] == "bias":
        weight_decay = options.weight_decay_bias
        if options.bias_lr_factor != 1:
            lr = options.lr * options.bias_lr_factor
    for over in _said(name, options.overrides):
        lr = lr if over.lr is None else over.lr
        weight_decay = weight_decay if over.weight_decay is None else over.weight_decay
    return ParameterOverrides(lr, weight_decay)


def _said(name: str, overrides: Mapping[str, ParameterOverrides]) -> Iterator[ParameterOverrides]:
    for key, over in overrides.items():
        whole = "." in key or "*" in key
        if fnmatchcase(name, key) if whole else name.rpartition(".")[2] == key:
            yield over


def _check_layers(groups: Sequence[ParameterGroup], options: OptimizerOptions) -> None:
    decay = options.layer_decay
    if decay is None:
        return
    # The embedding of the input counts as one more layer.
    found = max((group.layers_above for group in groups), default=0) - 1
    if found != decay.num_layers:
        layers = f"{found} layers" if found > 0 else "no layers"
        raise UsageError(
            f"training.optimizer.layer_decay is for {decay.num_layers} layers; the model has "
            f"{layers} that can learn at different rates"
        )

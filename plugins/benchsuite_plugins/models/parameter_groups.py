"""Parameters as an optimiser shall treat them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from torch import nn

from benchsuite.protocols import ParameterGroup

NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, nn.GroupNorm, nn.LayerNorm)
"""Layers whose scale and shift no weight decay pulls to zero."""


def group_parameters(
    model: nn.Module,
    lr_factor: Callable[[str], float] = lambda name: 1.0,
    without_decay: Callable[[str], bool] = lambda name: False,
) -> list[ParameterGroup]:
    """The trainable parameters, each once, those that are treated alike together.

    Args:
        lr_factor: from a parameter's name to the factor of its learning rate.
        without_decay: whether the parameter of a name has no weight decay; those of normalisation
            layers never have.
    """
    of_norms = {
        parameter
        for module in model.modules()
        if isinstance(module, NORMS)
        for parameter in module.parameters(recurse=False)
    }
    groups = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decays = parameter not in of_norms and not without_decay(name)
            groups[lr_factor(name), float(decays)].append(parameter)
    return [ParameterGroup(tuple(group), *factors) for factors, group in groups.items()]

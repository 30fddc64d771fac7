"""Parameters as an optimiser may treat them apart."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol, runtime_checkable

from torch import nn

from benchsuite.protocols import ParameterGroup
from benchsuite_plugins.models.layers.layer_norm import LayerNorm2d

NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, nn.GroupNorm, nn.LayerNorm)
"""Layers whose parameters are the scale and shift of a normalisation, but for ``LayerNorm2d``:
Detectron2 does not count it, so that in the published trainings its parameters decay as weights do.
"""


@runtime_checkable
class Layered(Protocol):
    """A network of many layers, such that those near its input may learn more slowly."""

    def layers_above(self, name: str) -> int:
        """How many layers lie between the parameter of a name and whatever follows the network,
        its own counted."""


def group_parameters(model: nn.Module) -> list[ParameterGroup]:
    """The trainable parameters, each once, those that are alike together."""
    of_norms = {
        parameter
        for module in model.modules()
        if isinstance(module, NORMS) and not isinstance(module, LayerNorm2d)
        for parameter in module.parameters(recurse=False)
    }
    layers_above = {
        parameter: module.layers_above(name)
        for module in model.modules()
        if isinstance(module, Layered)
        for name, parameter in module.named_parameters()
    }
    groups: dict[tuple[int, bool], dict[str, nn.Parameter]] = defaultdict(dict)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            alike = layers_above.get(parameter, 0), parameter in of_norms
            groups[alike][name] = parameter
    return [
        ParameterGroup(tuple(group), tuple(group.values()), layers_above=layers, of_norms=norms)
        for (layers, norms), group in groups.items()
    ]

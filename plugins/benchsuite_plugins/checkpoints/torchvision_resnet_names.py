"""torchvision's classifiers of the ResNet family under the names that our ResNet has.

``layer1.0.conv1.weight`` is ``res2.0.conv1.weight``, and each normalisation lies in the convolution
before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_BLOCK = re.compile(r"layer(\d)\.(\d+)\.(conv|bn)(\d)\.(.+)")
_SHORTCUT = re.compile(r"layer(\d)\.(\d+)\.downsample\.([01])\.(.+)")


def from_torchvision_resnet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict renamed; that of anything else comes back as it is."""
    if not any(_BLOCK.fullmatch(name) for name in state):
        return dict(state)
    return {_rename(name): value for name, value in state.items()}


def _rename(name: str) -> str:
    if match := _BLOCK.fullmatch(name):
        stage, block, kind, number, value = match.groups()
        norm = "norm." if kind == "bn" else ""
        return f"res{int(stage) + 1}.{block}.conv{number}.{norm}{value}"
    if match := _SHORTCUT.fullmatch(name):
        stage, block, place, value = match.groups()
        norm = "norm." if place == "1" else ""
        return f"res{int(stage) + 1}.{block}.shortcut.{norm}{value}"
    if name.startswith("conv1."):
        return f"stem.{name}"
    if name.startswith("bn1."):
        return f"stem.conv1.norm.{name.removeprefix('bn1.')}"
    return name

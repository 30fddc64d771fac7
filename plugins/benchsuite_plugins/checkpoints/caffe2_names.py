"""ImageNet backbones of Caffe2's time under the names that ours have.

``res2_0_branch2a_w`` is ``res2.0.conv1.weight``: Caffe2 had underscores for dots, ``branch1`` for
the shortcut and ``branch2a`` to ``branch2c`` for the three convolutions of a block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

CONVOLUTIONS = {
    "branch1": "shortcut",
    "branch2a": "conv1",
    "branch2b": "conv2",
    "branch2c": "conv3",
}

VALUES = {
    "w": "weight",
    "b": "bias",
    "bn_s": "norm.weight",
    "bn_b": "norm.bias",
    "bn_gamma": "norm.weight",
    "bn_beta": "norm.bias",
    "bn_rm": "norm.running_mean",
    "bn_running_mean": "norm.running_mean",
    "bn_riv": "norm.running_var",
    "bn_running_var": "norm.running_var",
    "gn_s": "norm.weight",
    "gn_b": "norm.bias",
}

_VALUE = "|".join(sorted(VALUES, key=len, reverse=True))
_BLOCK = re.compile(rf"res(\d)_(\d+)_({'|'.join(CONVOLUTIONS)})_({_VALUE})")
_STEM = re.compile(rf"(?:res_)?conv1_({_VALUE})")
_CLASSIFIER = re.compile(r"(?:pred|fc1000)_([wb])")


def from_caffe2(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict renamed; what has other names keeps them.

    What a solver kept beside each value (``…_momentum``) is left out.
    """
    return {_rename(name): value for name, value in state.items() if not name.endswith("_momentum")}


def _rename(name: str) -> str:
    if match := _BLOCK.fullmatch(name):
        stage, block, branch, value = match.groups()
        return f"res{stage}.{block}.{CONVOLUTIONS[branch]}.{VALUES[value]}"
    if match := _STEM.fullmatch(name):
        return f"stem.conv1.{VALUES[match[1]]}"
    if match := _CLASSIFIER.fullmatch(name):
        return f"linear.{VALUES[match[1]]}"
    return name

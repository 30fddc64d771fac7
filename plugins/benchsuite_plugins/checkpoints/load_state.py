"""Putting a checkpoint's values into a model, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints.differences import find_differences, optional_state
from benchsuite_plugins.checkpoints.translation import translate_state


def load_state(model: nn.Module, state: Mapping[str, Tensor], source: object) -> None:
    """Copy ``state`` into the model's parameters and buffers.

    Names and shapes must be the model's, but for what ``find_differences`` passes over.

    Args:
        source: the file, for messages.

    Raises:
        InputError: names the first three that are missing, left over or of another shape, and how
            many there are; the model is as it was.
    """
    differences = find_differences(model, {name: value.shape for name, value in state.items()})
    if differences:
        what = (
            "is a checkpoint of another architecture"
            if differences.other_architecture
            else "does not fit the model"
        )
        raise InputError(
            f"{what}; {differences}",
            file=source,
            remedy="Choose the model, the options and the categories that it was trained with",
        )
    state = translate_state(model, state)
    optional = optional_state(model)
    with torch.no_grad():
        for name, target in model.state_dict().items():
            if name in state:
                target.copy_(state[name])
            elif name in optional:
                target.fill_(optional[name])

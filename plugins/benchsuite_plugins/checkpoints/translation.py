"""Checkpoints of other projects, read by the models that take them.

Such a model says in its attribute ``translate_state`` how their names and layouts become its own: a
function from a state dict to a state dict, which leaves what has its own names as it is and takes
values on the meta device too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def translate_state(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The checkpoint as the model would have saved it, where the model knows how."""
    translate = getattr(model, "translate_state", None)
    return dict(state) if translate is None else translate(state)


def translate_shapes(
    model: nn.Module, shapes: Mapping[str, Sequence[int]]
) -> dict[str, tuple[int, ...]]:
    """The same of a checkpoint's shapes, by name."""
    state = {name: torch.empty(tuple(shape), device="meta") for name, shape in shapes.items()}
    return {name: tuple(value.shape) for name, value in translate_state(model, state).items()}

"""Putting a checkpoint's values into a model, all of them or none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from benchsuite.errors import InputError

DERIVED = re.compile(r"(^|\.)(pixel_mean|pixel_std|anchor_generator\.cell_anchors\.\d+)$")
"""What files published before 2021 hold beside the weights; the options say it."""


def load_state(model: nn.Module, state: Mapping[str, Tensor], source: object) -> None:
    """Copy ``state`` into the model's parameters and buffers.

    Names and shapes must be the model's. Left out of that are what old files hold beyond the
    weights (``DERIVED``), the counters of batch norms, and what a module names in its attribute
    ``optional_state`` (name to the value that stands for it), which may be absent together.

    Args:
        source: the file, for messages.

    Raises:
        InputError: names the first three that are missing, left over or of another shape, and how
            many there are; the model is as it was.
    """
    wanted = model.state_dict()
    optional = {
        f"{prefix}.{name}" if prefix else name: value
        for prefix, module in model.named_modules()
        for name, value in getattr(module, "optional_state", {}).items()
    }
    given = {name: value for name, value in state.items() if not DERIVED.search(name)}
    stated = [name for name in optional if name in given]
    missing = [
        name
        for name in wanted
        if name not in given
        and not name.endswith("num_batches_tracked")
        and (name not in optional or stated)
    ]
    left_over = [name for name in given if name not in wanted]
    misshapen = [
        f"{name} ({_shape(value)} in the file, {_shape(wanted[name])} in the model)"
        for name, value in given.items()
        if name in wanted and value.shape != wanted[name].shape
    ]
    differences = [
        f"{len(names)} {what}: {_first(names)}"
        for what, names in (
            ("missing", missing),
            ("left over", left_over),
            ("of another shape", misshapen),
        )
        if names
    ]
    if differences:
        raise InputError(
            f"does not fit the model; {'; '.join(differences)}",
            file=source,
            remedy="Choose the model, the options and the categories that it was trained with",
        )
    with torch.no_grad():
        for name, target in wanted.items():
            if name in given:
                target.copy_(given[name])
            elif name in optional:
                target.fill_(optional[name])


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _first(names: Sequence[str]) -> str:
    return ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])])

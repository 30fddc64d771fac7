"""A model that is being trained, set aside to predict for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from benchsuite.devices import exact_float32


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """The model as ``run`` has it: in evaluation mode and in float32, whatever it trains in.

    Afterwards every module is in the mode that it was in, and torch's generators are where they
    were, so that a training goes on as if nothing had been between.
    """
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    cuda = [device] if device.type == "cuda" else []
    model.eval()
    try:
        with (
            torch.random.fork_rng(devices=cuda),
            torch.autocast(device.type, enabled=False),
            exact_float32(),
        ):
            yield
    finally:
        for module, training in modes:
            module.training = training

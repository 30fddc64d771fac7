"""A recipe's model without memory or values: what a checkpoint is compared with."""

from __future__ import annotations

import torch
from torch import nn

from benchsuite.errors import UsageError
from benchsuite.protocols import ModelRequest
from benchsuite.resolve import resolve_model, use


def build_on_meta(name: str) -> nn.Module:
    """The model of the recipe ``name``, its parameters on torch's meta device.

    Raises:
        UsageError: the recipe states no categories, or the model is no torch module.
    """
    resolved = resolve_model(name, dataset="")
    if resolved.categories is None:
        raise UsageError(f"recipe {name!r} does not say what its model's labels mean")
    request = ModelRequest(options=resolved.options, categories=resolved.categories, device="meta")
    factory = use(resolved.spec.factory, f"model {resolved.spec.name!r}")
    with torch.device("meta"):
        model = factory(request)
    if not isinstance(model, nn.Module):
        raise UsageError(f"model {resolved.spec.name!r} is no torch module: it cannot be compared")
    return model

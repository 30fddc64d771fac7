"""Losses by the name that a plugin registered them under."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import Tensor

from benchsuite.errors import UsageError
from benchsuite.plugins import registry
from benchsuite.specs import LossSpec, load

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of predictions and targets, unreduced (see ``LossSpec``)."""


def named_loss(
    name: str, options: Mapping[str, Any], compares: Collection[str]
) -> tuple[Loss, LossSpec]:
    """A registered loss, made with its options.

    Args:
        compares: what it may compare (see ``LossSpec``).

    Raises:
        UsageError: nobody registered it, it compares something else, or it has no such options.
    """
    spec: LossSpec = registry().find("losses", name)
    if spec.compares not in compares:
        raise UsageError(
            f"loss {name!r} compares {spec.compares}; what is wanted here compares "
            f"{' or '.join(compares)}"
        )
    try:
        loss: Loss = load(spec.factory)(**options)
    except TypeError as error:
        raise UsageError(f"loss {name!r} does not take {dict(options)}: {error}") from None
    return loss, spec

"""Losses by the name that a plugin registered them under."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from benchsuite.errors import UsageError
from benchsuite.plugins import registry
from benchsuite.specs import LossSpec, load

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of predictions and targets, unreduced (see ``LossSpec``)."""


@runtime_checkable
class LossOfMaps(Protocol):
    """A ``binary`` loss that can also be summed over a head's output as it lies: it needs no
    targets of the logits' shape."""

    def sum_of_maps(self, logits: Tensor, labels: Tensor, num_classes: int) -> Tensor:
        """The sum over all anchors that count: () float32.

        Args:
            logits: (N, A * K, H, W).
            labels: (N, H * W * A) int64: a class, 0 to K - 1; K for background; negative for what
                does not count.
            num_classes: K.
        """


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

"""Feature maps are passed by name; names that nothing makes are told before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor

from benchsuite.errors import UsageError, unknown_name


class Backbone(Protocol):
    """What makes feature maps of images: a network, or a pyramid on top of one.

    Attributes:
        channels: feature map to its channels.
        strides: feature map to input pixels a cell.
    """

    channels: dict[str, int]
    strides: dict[str, int]

    def __call__(self, images: Tensor, /) -> dict[str, Tensor]:
        """(N, 3, H, W) to a (N, C, h, w) a feature map."""


def check_names(option: str, wanted: Iterable[str], available: Iterable[str]) -> None:
    """Check an option that names feature maps.

    Raises:
        UsageError: it names none, or one that is not available.
    """
    wanted, available = tuple(wanted), tuple(available)
    if not wanted:
        raise UsageError(f"{option} is empty; there are: {', '.join(available)}")
    for name in wanted:
        if name not in available:
            raise unknown_name(f"feature in {option}", name, available)

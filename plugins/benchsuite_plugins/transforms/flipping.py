"""Mirror images."""

from __future__ import annotations

from torchvision.transforms import v2

from benchsuite.errors import unknown_name

DIRECTIONS = {"horizontal": v2.RandomHorizontalFlip, "vertical": v2.RandomVerticalFlip}


def random_flip(prob: float = 0.5, direction: str = "horizontal") -> v2.Transform:
    """Mirrors with a probability.

    Args:
        direction: ``"horizontal"``: left and right change places; ``"vertical"``: top and bottom.
    """
    if direction not in DIRECTIONS:
        raise unknown_name("direction of a flip", direction, DIRECTIONS)
    return DIRECTIONS[direction](p=prob)

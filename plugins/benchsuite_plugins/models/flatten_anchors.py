"""Head outputs are maps; anchors are rows. This puts the one into the order of the other."""

from __future__ import annotations

from torch import Tensor


def flatten_anchors(output: Tensor, values: int) -> Tensor:
    """A head's output in the order of the anchors: (N, A * values, H, W) to (N, H * W * A, values).

    In the channels the anchors are outside, the values inside.
    """
    images, channels, height, width = output.shape
    split = output.view(images, channels // values, values, height, width)
    return split.permute(0, 3, 4, 1, 2).reshape(images, -1, values)

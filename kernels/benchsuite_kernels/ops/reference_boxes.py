"""Which reference box each row of values has, without copies of the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor

from benchsuite_kernels.ops.tensors import stored


def reference_boxes(boxes: Tensor, shape: Sequence[int]) -> tuple[Tensor, int]:
    """Boxes as the kernels read them, where they are broadcast to ``shape``.

    Args:
        boxes: (..., 4).
        shape: (..., 4).

    Returns:
        rows: (Q, 4) float32.
        repeat: row i of ``shape`` has box ``(i // repeat) % Q``.

    Raises:
        ValueError: boxes cannot be broadcast to the shape.
    """
    boxes = boxes.float()
    if boxes.shape == shape:
        return stored(boxes).view(-1, 4), 1
    axes, wanted = tuple(boxes.shape[:-1]), tuple(shape[:-1])
    axes = (1,) * (len(wanted) - len(axes)) + axes
    if len(axes) != len(wanted) or any(
        own not in (1, size) for own, size in zip(axes, wanted, strict=True)
    ):
        raise ValueError(f"boxes {tuple(boxes.shape)} do not broadcast to {tuple(shape)}")
    last = next((i for i in reversed(range(len(axes))) if axes[i] != 1), -1)
    first = next((i for i in range(len(axes)) if axes[i] != 1), len(axes))
    if axes[first : last + 1] == wanted[first : last + 1]:
        return stored(boxes).view(-1, 4), prod(wanted[last + 1 :])
    return stored(boxes.expand(shape)).view(-1, 4), 1

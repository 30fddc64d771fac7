"""Which reference box each row of values has, without copies of the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor

from benchsuite_kernels.ops.tensors import stored


def check_references(name: str, values: Tensor, boxes: Tensor) -> None:
    """Raises: ValueError: values or boxes are not (..., 4), or boxes do not broadcast to values."""
    shape, own = values.shape, boxes.shape
    if shape[-1:] != (4,) or own[-1:] != (4,):
        raise ValueError(f"{name} {tuple(shape)} and boxes {tuple(own)} are not (..., 4) both")
    if own == shape:
        return
    if len(own) > len(shape) or any(
        size not in (1, wanted) for size, wanted in zip(own[::-1], shape[::-1], strict=False)
    ):
        raise ValueError(f"boxes {tuple(own)} do not broadcast to {name} {tuple(shape)}")


def reference_boxes(boxes: Tensor, shape: Sequence[int]) -> tuple[Tensor, int]:
    """Boxes as the kernels read them, where they are broadcast to ``shape``.

    Args:
        boxes: (..., 4).
        shape: (..., 4).

    Returns:
        rows: (Q, 4) float32.
        repeat: row i of ``shape`` has box ``(i // repeat) % Q``.
    """
    boxes = boxes.float()
    if boxes.shape == shape:
        return stored(boxes).view(-1, 4), 1
    axes, wanted = tuple(boxes.shape[:-1]), tuple(shape[:-1])
    axes = (1,) * (len(wanted) - len(axes)) + axes
    last = next((i for i in reversed(range(len(axes))) if axes[i] != 1), -1)
    first = next((i for i in range(len(axes)) if axes[i] != 1), len(axes))
    if axes[first : last + 1] == wanted[first : last + 1]:
        return stored(boxes).view(-1, 4), max(prod(wanted[last + 1 :]), 1)
    return stored(boxes.expand(shape)).view(-1, 4), 1

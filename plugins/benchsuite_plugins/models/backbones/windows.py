"""Maps of tokens as square windows, and back."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def partition_windows(tokens: Tensor, size: int) -> Tensor:
    """Cut maps into windows; zeros fill the last ones on the right and at the bottom.

    Args:
        tokens: (N, H, W, C).
        size: side of a window.

    Returns:
        (N * rows * columns, size, size, C): image by image, row by row.
    """
    batch, height, width, channels = tokens.shape
    rows, columns = -(-height // size), -(-width // size)
    # Padded even where nothing is missing: a condition on the size would hold an exported program
    # to sizes of one kind.
    tokens = F.pad(tokens, (0, 0, 0, columns * size - width, 0, rows * size - height))
    windows = tokens.reshape(batch, rows, size, columns, size, channels).transpose(2, 3)
    return windows.reshape(batch * rows * columns, size, size, channels)


def merge_windows(windows: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Undo ``partition_windows``.

    Args:
        windows: (N * rows * columns, size, size, C).
        shape: N, H and W of the maps; what was filled in beyond H and W is dropped.

    Returns:
        (N, H, W, C).
    """
    batch, height, width = shape
    size, channels = windows.shape[1], windows.shape[3]
    rows, columns = -(-height // size), -(-width // size)
    tokens = windows.reshape(batch, rows, columns, size, size, channels).transpose(2, 3)
    tokens = tokens.reshape(batch, rows * size, columns * size, channels)
    return tokens[:, :height, :width]

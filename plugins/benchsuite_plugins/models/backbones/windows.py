"""Maps of tokens as square windows, and back.

No step here depends on whether the windows happen to fit: a program that is exported with dynamic
height and width holds for all maps of at least two windows along each side.
"""

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
    tokens = pad_or_crop(tokens, rows * size, columns * size)
    windows = tokens.reshape(batch, rows, size, columns, size, channels).transpose(2, 3)
    return windows.reshape(batch * rows * columns, size, size, channels)


def merge_windows(windows: Tensor, batch: int, height: int, width: int) -> Tensor:
    """Undo ``partition_windows``.

    Args:
        windows: (N * rows * columns, size, size, C).
        batch, height, width: N, H and W of the maps; what was filled in beyond is dropped.

    Returns:
        (N, H, W, C).
    """
    size, channels = windows.shape[1], windows.shape[3]
    rows, columns = -(-height // size), -(-width // size)
    tokens = windows.reshape(batch, rows, columns, size, size, channels).transpose(2, 3)
    tokens = tokens.reshape(batch, rows * size, columns * size, channels)
    return pad_or_crop(tokens, height, width)


def pad_or_crop(tokens: Tensor, height: int, width: int) -> Tensor:
    """Fill maps with zeros, or cut them, on the right and at the bottom.

    Args:
        tokens: (N, H, W, C).

    Returns:
        (N, height, width, C), contiguous, a copy even where nothing changes: the strides of a
        slice would differ between maps that are cut and maps that are not.
    """
    return F.pad(tokens, (0, 0, 0, width - tokens.shape[2], 0, height - tokens.shape[1]))

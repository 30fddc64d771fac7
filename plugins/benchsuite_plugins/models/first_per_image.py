"""The best few rows of each image, for all images of a batch at once."""

from __future__ import annotations

import torch
from torch import Tensor


def first_per_image(image_index: Tensor, image_count: int, limit: int | Tensor) -> Tensor:
    """The first ``limit`` rows of each image.

    Args:
        image_index: (R,) int64, 0 to ``image_count - 1``: which image a row belongs to. Rows are
            in any order of images, those of an image in order of preference.
        limit: at most so many stay of an image; (N,) int64 where images differ in it.

    Returns:
        (K,) int64: indices of those that stay, by image, within an image in their order.
    """
    images, order = torch.sort(image_index, stable=True)
    counts = torch.bincount(images, minlength=image_count)
    starts = counts.cumsum(0) - counts
    rank = torch.arange(len(images), device=images.device) - starts[images]
    return order[rank < (limit[images] if isinstance(limit, Tensor) else limit)]

"""A random subset of the candidates of each image, those that stand for objects first."""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_plugins.models.first_per_image import first_per_image
from benchsuite_plugins.models.matcher import NEGATIVE, POSITIVE


def sample_candidates(
    labels: Tensor,
    image_index: Tensor,
    image_count: int,
    *,
    batch_size_per_image: int,
    positive_fraction: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw candidates that count.

    Args:
        labels: (R,) int64, 1, 0 or -1 (see ``matcher``).
        image_index: (R,) int64, 0 to ``image_count - 1``.
        batch_size_per_image: so many are drawn of each image, or all where it has fewer.
        positive_fraction: at most this share of them are positive; the rest is filled with
            negatives.
        generator: on the labels' device; ``None``: that device's global one.

    Returns:
        (K,) int64: rows, the positive ones first.
    """
    limit = int(batch_size_per_image * positive_fraction)

    def draw(label: int, limit: int | Tensor) -> Tensor:
        rows = (labels == label).nonzero().squeeze(1)
        order = torch.randperm(len(rows), generator=generator, device=rows.device)
        rows = rows[order]
        return rows[first_per_image(image_index[rows], image_count, limit)]

    positive = draw(POSITIVE, limit)
    taken = image_index[positive].bincount(minlength=image_count)
    return torch.cat([positive, draw(NEGATIVE, batch_size_per_image - taken)])

"""A random subset of the candidates of each image, those that stand for objects first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchsuite_plugins.models.matcher import NEGATIVE, POSITIVE


def sample_candidates(
    labels: Tensor,
    image_index: Tensor,
    generators: Sequence[np.random.Generator],
    *,
    batch_size_per_image: int,
    positive_fraction: float,
) -> Tensor:
    """Draw candidates that count.

    What is drawn of an image follows from its own labels and generator alone, whatever the other
    images, on every device.

    Args:
        labels: (R,) int64, 1, 0 or -1 (see ``matcher``).
        image_index: (R,) int64, ascending.
        generators: one an image.
        batch_size_per_image: so many are drawn of each image, or all where it has fewer.
        positive_fraction: at most this share of them are positive; the rest is filled with
            negatives.

    Returns:
        (K,) int64: rows, the positive ones first.
    """
    limit = int(batch_size_per_image * positive_fraction)
    images = len(generators)
    # One transfer to the host for the whole batch; the candidates themselves stay on the device.
    kinds = torch.bincount(image_index * 3 + (labels + 1), minlength=images * 3)
    counts = kinds.view(images, 3).tolist()
    positive, negative = ([count[label + 1] for count in counts] for label in (POSITIVE, NEGATIVE))
    positive_limits = [min(count, limit) for count in positive]
    negative_limits = [batch_size_per_image - taken for taken in positive_limits]
    rows = [
        (labels == label).nonzero().squeeze(1)[_ranks(found, limits, generators).to(labels.device)]
        for label, found, limits in (
            (POSITIVE, positive, positive_limits),
            (NEGATIVE, negative, negative_limits),
        )
    ]
    return torch.cat(rows)


def _ranks(
    counts: Sequence[int], limits: Sequence[int], generators: Sequence[np.random.Generator]
) -> Tensor:
    """Places among all candidates of a kind, those of one image behind those of the one before."""
    ranks, start = [np.zeros(0, np.int64)], 0
    for count, limit, generator in zip(counts, limits, generators, strict=True):
        chosen = (
            generator.choice(count, limit, replace=False, shuffle=False)
            if limit < count
            else np.arange(count)
        )
        ranks.append(chosen + start)
        start += count
    return torch.from_numpy(np.concatenate(ranks))

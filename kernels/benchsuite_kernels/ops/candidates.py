"""Candidates for suppression: the same room for each image of a batch, absent ones marked."""

from __future__ import annotations

from torch import Tensor


def checked_groups(
    boxes: Tensor, scores: Tensor, groups: Tensor, limit: int, numbers: int
) -> Tensor:
    """The groups of all candidates, once everything is known to fit together.

    Args:
        boxes: (N, M, ``numbers``).
        scores: (N, M).
        groups: (N, M); (M,) where images share them.
        limit: 0 or more, how many an image may keep.
        numbers: of a box: 4, or 5 of a rotated one.

    Returns:
        (N, M), a view.

    Raises:
        ValueError: shapes that do not fit together, or a negative limit.
    """
    shape = scores.shape
    if len(shape) != 2 or boxes.shape != (*shape, numbers):
        raise ValueError(
            f"boxes {tuple(boxes.shape)} and scores {tuple(shape)} are not (N, M, {numbers}) and "
            "(N, M)"
        )
    if limit < 0:
        raise ValueError(f"limit={limit} is negative")
    if groups.shape == shape:
        return groups
    if groups.shape != shape[1:]:
        raise ValueError(
            f"groups {tuple(groups.shape)} are not {tuple(shape)} or {tuple(shape[1:])}"
        )
    return groups.expand(shape)

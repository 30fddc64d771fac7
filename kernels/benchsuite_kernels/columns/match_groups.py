"""The groups that detections and truths are matched within: one for each category and image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.overlaps import require
from benchsuite_kernels.dispatch import native, tally

_Ids = NDArray[np.int64]


def match_groups(
    images: _Ids,
    categories: _Ids | None,
    image_ids: _Ids,
    category_ids: _Ids,
    *,
    threads: int,
) -> _Ids:
    """Number the groups of rows, by ascending category, then image.

    Args:
        images: (N,) int64, each row's image id.
        categories: (N,) int64, each row's category id; ``None``: all are of one category.
        image_ids: (I,) int64, those that are evaluated, ascending.
        category_ids: (K,) int64, likewise; not looked at where ``categories`` is ``None``.
        threads: how many to use at most; the outcome does not depend on it.

    Returns:
        (N,) int64, the place of the category times I plus that of the image; -1 where either is not
        evaluated.

    Raises:
        ValueError: an array has another dtype or shape than it should, or ids do not ascend.
    """
    require("images", images, np.int64, (len(images),))
    if categories is not None:
        require("categories", categories, np.int64, (len(images),))
    for name, ids in (("image_ids", image_ids), ("category_ids", category_ids)):
        require(name, ids, np.int64, (len(ids),))
        if (ids[1:] <= ids[:-1]).any():
            raise ValueError(f"{name} do not ascend")
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import match_groups_reference

        tally("match_groups", "reference")
        return match_groups_reference.match_groups(images, categories, image_ids, category_ids)
    tally("match_groups", "c++")
    groups: _Ids = extension.detection_match.match_groups(
        images, categories, image_ids, category_ids, threads
    )
    return groups


def order_by_group(groups: _Ids, *, threads: int) -> _Ids:
    """(N,) int64, the rows by ascending group; those of one group in their own order.

    Args:
        groups: (N,) int64, any numbers.
        threads: how many to use at most; the outcome does not depend on it.

    Raises:
        ValueError: the array has another dtype or shape than it should.
    """
    require("groups", groups, np.int64, (len(groups),))
    extension = native()
    if extension is None:
        tally("order_by_group", "reference")
        return np.argsort(groups, kind="stable")
    tally("order_by_group", "c++")
    order: _Ids = extension.detection_match.order_by_group(groups, threads)
    return order

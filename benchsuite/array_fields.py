"""Array-like fields of records, checked and converted when a record is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchsuite.errors import ContractError


def array_field(
    owner: str, name: str, value: ArrayLike, dtype: Any, shape: Sequence[int]
) -> NDArray[Any]:
    """``value`` as an array of a dtype and shape.

    Args:
        owner, name: whose field it is, for the message.
        shape: a size an axis, -1 for any. What holds nothing is taken as empty of that shape.

    Raises:
        ContractError: it is not numeric, or of another shape.
    """
    try:
        array = np.asarray(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{owner}.{name} is not numeric: {error}") from None
    if array.size == 0 and shape[0] in (-1, 0) and not _fits(array, shape):
        array = array.reshape((0, *(max(size, 0) for size in shape[1:])))
    if not _fits(array, shape):
        want = ", ".join("any" if size == -1 else str(size) for size in shape)
        raise ContractError(f"{owner}.{name} has shape {array.shape}, expected ({want})")
    return array


def _fits(array: NDArray[Any], shape: Sequence[int]) -> bool:
    return array.ndim == len(shape) and all(
        want in (-1, have) for want, have in zip(shape, array.shape, strict=True)
    )

"""Numbers as Detectron2's VOC evaluator writes them into the files that it then scores.

It adds 1 to a box's left and top, in float32, and writes scores with three decimals and boxes with
one. So detections may be tied in score that were not, and boxes move by up to 0.05 pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

_NEAR_HALF = 1e-4


def decimals(values: _Floats, places: int) -> _Floats:
    """What ``float(f"{value:.{places}f}")`` is, of each value."""
    scale = 10.0**places
    scaled = values * scale
    rounded = np.rint(scaled) / scale
    # The product is rounded itself, so that a value near the middle may fall to the wrong side.
    doubtful = ~(np.abs(np.abs(scaled - np.trunc(scaled)) - 0.5) > _NEAR_HALF)
    flat = rounded.reshape(-1)
    for place in np.flatnonzero(doubtful.reshape(-1)):
        flat[place] = float(f"{values.reshape(-1)[place]:.{places}f}")
    return flat.reshape(values.shape)


def plus_one(values: _Floats) -> _Floats:
    """Each value and 1: in float32 where it is a float32, as model outputs are."""
    single = values.astype(np.float32)
    return np.where(single == values, (single + np.float32(1)).astype(np.float64), values + 1.0)

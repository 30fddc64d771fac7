"""Masks as run-length encoding (RLE), called as pycocotools' ``mask`` module is.

An RLE is a dict with ``size`` (height, width, in pixels) and ``counts`` (bytes or str, compressed).
Boxes are ``x, y, width, height`` in pixels. Where an argument is a list of RLEs the outcome is an
array or a list; where it is one RLE, a single value. What pycocotools crashes or hangs on (counts
that do not cover the image, masks of several sizes, polygons with fewer than three points or with
coordinates that are not finite) is a ``ValueError`` here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns import rle

Rle = Mapping[str, Any]

MAX_COORDINATE = 1e5
"""Largest absolute polygon coordinate, in pixels: memory goes with a polygon's circumference."""


def encode(masks: NDArray[Any]) -> Any:
    """(H, W) to an RLE, (H, W, N) to a list of N; what is not zero is inside."""
    masks = np.asarray(masks)
    if masks.ndim == 2:
        size = [int(side) for side in masks.shape]
        return {"size": size, "counts": rle.encode(masks != 0)}
    if masks.ndim != 3:
        raise ValueError(f"masks are (H, W) or (H, W, N), not {masks.shape}")
    return [encode(masks[:, :, place]) for place in range(masks.shape[2])]


def decode(rles: Rle | Sequence[Rle]) -> NDArray[np.uint8]:
    """An RLE to (H, W), a list of N to (H, W, N); uint8, 0 or 1, in Fortran order."""
    if isinstance(rles, Mapping):
        return rle.decode(rles["counts"], tuple(rles["size"]))
    height, width = _common_size(rles) if len(rles) else (0, 0)
    masks = np.zeros((height, width, len(rles)), np.uint8, order="F")
    for place, one in enumerate(rles):
        masks[:, :, place] = decode(one)
    return masks


def area(rles: Rle | Sequence[Rle]) -> Any:
    """Pixels inside: uint32, or an array of them."""
    if isinstance(rles, Mapping):
        return np.uint32(rle.area(rles["counts"]))
    return np.array([area(one) for one in rles], np.uint32)


def toBbox(rles: Rle | Sequence[Rle]) -> NDArray[np.float64]:
    """The tight box, (4,) float64, or (N, 4) of a list; zeros where a mask is empty."""
    if isinstance(rles, Mapping):
        return np.array(rle.to_bbox(rles["counts"], tuple(rles["size"])), np.float64)
    return np.array([toBbox(one) for one in rles], np.float64).reshape(-1, 4)


def merge(rles: Sequence[Rle], intersect: bool = False) -> dict[str, Any]:
    """The union (or the intersection) of masks of one size, as one RLE."""
    from pycocotools import mask as official

    if len(rles):
        _common_size(rles)
    merged: dict[str, Any] = official.merge([_checked(one) for one in rles], intersect)
    return merged


def iou(detections: Any, truths: Any, iscrowd: Sequence[Any]) -> Any:
    """Intersection over union of two lists of boxes or of RLEs.

    Args:
        detections: D boxes ((D, 4) or a list) or RLEs.
        truths: G of the same.
        iscrowd: of each truth; where it is set, the intersection is divided by the detection's
            area instead of the union's.

    Returns:
        (D, G) float64, -1 where two masks have different sizes; ``[]`` where a side is empty.
    """
    from pycocotools import mask as official

    return official.iou(_shapes(detections), _shapes(truths), [int(flag) for flag in iscrowd])


def frPyObjects(shapes: Any, height: int, width: int) -> Any:
    """Polygons, boxes or uncompressed RLEs of an image, as RLEs.

    Args:
        shapes: a list of polygons (``x1, y1, x2, y2, ...``), boxes (a list, or an array (N, 4)) or
            objects whose ``counts`` are run lengths; or one object of that kind.
        height, width: of the image, in pixels.

    Returns:
        A list of RLEs, or one for a single object.

    Raises:
        ValueError: there is nothing, or something malformed among them.
    """
    if isinstance(shapes, Mapping):
        return _from_runs(shapes, height, width)
    if isinstance(shapes, np.ndarray):
        return _from_boxes(shapes, height, width)
    if not len(shapes):
        raise ValueError("there is no polygon, box or RLE")
    if all(isinstance(shape, Mapping) for shape in shapes):
        return [_from_runs(shape, height, width) for shape in shapes]
    if np.ndim(shapes[0]) == 0:
        return frPyObjects([shapes], height, width)[0]
    if all(len(shape) == 4 for shape in shapes):
        return _from_boxes(shapes, height, width)
    return [_from_polygon(shape, height, width) for shape in shapes]


def union_of_polygons(polygons: Sequence[Sequence[float]], height: int, width: int) -> Rle:
    """The RLE of an annotation's polygons.

    Raises:
        ValueError: there is none, or a malformed one.
    """
    if not len(polygons):
        raise ValueError("there is no polygon")
    return merge([_from_polygon(polygon, height, width) for polygon in polygons])


def _from_polygon(polygon: Sequence[float], height: int, width: int) -> Rle:
    if np.abs(np.asarray(polygon, np.float64)).max(initial=0) > MAX_COORDINATE:
        raise ValueError(f"a coordinate lies beyond {MAX_COORDINATE:.0f} pixels")
    counts = rle.from_polygons([polygon], (height, width))
    return {"size": [height, width], "counts": counts}


def _from_boxes(boxes: Any, height: int, width: int) -> Any:
    from pycocotools import mask as official

    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    if not (np.abs(boxes) <= MAX_COORDINATE).all():
        raise ValueError(f"a coordinate lies beyond {MAX_COORDINATE:.0f} pixels, or is not finite")
    return official.frPyObjects(boxes, height, width)


def _from_runs(uncompressed: Rle, height: int, width: int) -> Rle:
    counts = rle.from_runs(uncompressed["counts"], (height, width))
    return {"size": [height, width], "counts": counts}


def _common_size(rles: Sequence[Rle]) -> tuple[int, int]:
    sizes = {tuple(one["size"]) for one in rles}
    if len(sizes) > 1:
        raise ValueError(f"the masks have different sizes (height, width): {sorted(sizes)}")
    height, width = sizes.pop()
    return height, width


def _checked(one: Rle) -> Rle:
    rle.validate(one["counts"], tuple(one["size"]))
    return one


def _shapes(shapes: Any) -> Any:
    """Boxes and RLEs as pycocotools takes them without harm."""
    if isinstance(shapes, np.ndarray) or not len(shapes):
        return shapes
    if all(isinstance(shape, Mapping) for shape in shapes):
        return [_checked(shape) for shape in shapes]
    return [shape if isinstance(shape, np.ndarray) else list(shape) for shape in shapes]

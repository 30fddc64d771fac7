"""What a mask head is to predict of objects that are given as polygons.

Source: Detectron2's ``PolygonMasks.crop_and_resize``: polygons are moved into a region's frame,
scaled to the head's grid and rasterised there as pycocotools does.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite_kernels.columns import rle
from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

SHORTEST_SIDE = 0.1
"""Pixels: a region with a shorter side is scaled as if it had this one."""

LARGEST_COORDINATE = 4e8
"""Cells: pycocotools' arithmetic has 32 bits."""

MOST_SHARED_BYTES = 48 * 1024


def polygon_targets(
    points: Tensor,
    polygon_starts: Tensor,
    mask_starts: Tensor,
    matched: Tensor,
    boxes: Tensor,
    size: int,
) -> Tensor:
    """The masks of objects as regions see them, to the cell as pycocotools rasterises them.

    A mask is the union of its polygons; one of none is empty. So is that of a region where a corner
    of a polygon would lie beyond ``LARGEST_COORDINATE`` cells, or at no finite place.

    Args:
        points: (V, 2) float64, x and y in pixels, polygon after polygon.
        polygon_starts: (P + 1,) int64: the first point of each polygon, and V. A polygon has at
            least three.
        mask_starts: (M + 1,) int64: the first polygon of each mask, and P.
        matched: (R,) int64, which mask each region shows.
        boxes: (R, 4) float32, xyxy, the regions, in the points' pixels.
        size: cells a side, S.

    Returns:
        (R, S, S) bool.

    Raises:
        ValueError: shapes or dtypes that do not fit together; on the CPU also starts that do not
            ascend and an index out of range.
    """
    count = len(boxes)
    if boxes.shape != (count, 4) or matched.shape != (count,) or size < 1:
        raise ValueError(
            f"boxes {tuple(boxes.shape)} and matched {tuple(matched.shape)} are not (R, 4), (R,), "
            f"or size={size} is less than 1"
        )
    if (
        points.ndim != 2
        or points.shape[1] != 2
        or polygon_starts.ndim != 1
        or mask_starts.ndim != 1
    ):
        raise ValueError(
            f"points {tuple(points.shape)}, polygon_starts {tuple(polygon_starts.shape)} and "
            f"mask_starts {tuple(mask_starts.shape)} are not (V, 2), (P + 1,) and (M + 1,)"
        )
    dtypes = (points.dtype, polygon_starts.dtype, mask_starts.dtype, matched.dtype, boxes.dtype)
    if dtypes != (torch.float64, torch.int64, torch.int64, torch.int64, torch.float32):
        raise ValueError(f"{dtypes} are not float64, three of int64, float32")
    targets: Tensor = _operator(points, polygon_starts, mask_starts, matched, boxes, size)
    return targets


def reference(
    points: Tensor,
    polygon_starts: Tensor,
    mask_starts: Tensor,
    matched: Tensor,
    boxes: Tensor,
    size: int,
) -> Tensor:
    """``polygon_targets`` on the CPU, a region at a time."""
    corners, places = boxes.cpu().numpy(), points.cpu().numpy()
    first_point, first_polygon = polygon_starts.tolist(), mask_starts.tolist()
    targets = np.zeros((len(boxes), size, size), np.bool_)
    for region, mask in enumerate(matched.tolist()):
        if not 0 <= mask < len(first_polygon) - 1:
            raise ValueError(f"matched[{region}] is {mask}, outside 0 to {len(first_polygon) - 2}")
        polygons = [
            places[first_point[i] : first_point[i + 1]]
            for i in range(first_polygon[mask], first_polygon[mask + 1])
        ]
        if polygons:
            _draw(polygons, corners[region], targets[region])
    return torch.from_numpy(targets).to(boxes.device)


def _draw(
    polygons: list[NDArray[np.float64]], box: NDArray[np.float32], target: NDArray[np.bool_]
) -> None:
    size = len(target)
    with np.errstate(invalid="ignore", over="ignore"):
        scale = np.float32(size) / np.maximum(box[2:] - box[:2], np.float32(SHORTEST_SIDE))
        moved = [((each - box[:2]) * scale).ravel() for each in polygons]
    if all((np.abs(numbers) <= LARGEST_COORDINATE).all() for numbers in moved):
        target[:] = rle.decode(rle.from_polygons(moved, target.shape), target.shape)


def _native(
    points: Tensor,
    polygon_starts: Tensor,
    mask_starts: Tensor,
    matched: Tensor,
    boxes: Tensor,
    size: int,
) -> Tensor:
    targets = torch.empty((len(boxes), size, size), dtype=torch.bool)
    extension().polygon_targets(
        stored(points),
        stored(polygon_starts),
        stored(mask_starts),
        stored(matched),
        stored(boxes),
        targets,
        torch.get_num_threads(),
    )
    return targets


def _cuda(
    points: Tensor,
    polygon_starts: Tensor,
    mask_starts: Tensor,
    matched: Tensor,
    boxes: Tensor,
    size: int,
) -> Tensor:
    shared_bytes = 8 * (size * size // 32 + 1)  # a bit a cell, twice
    if shared_bytes > MOST_SHARED_BYTES:
        return NotImplemented
    targets = boxes.new_empty((len(boxes), size, size), dtype=torch.bool)
    launch(
        "polygon_targets.cu",
        "polygon_targets",
        grid=(len(boxes), 1, 1),
        block=(128, 1, 1),
        arguments=(
            stored(points),
            stored(polygon_starts),
            stored(mask_starts),
            len(mask_starts) - 1,
            stored(matched),
            stored(boxes),
            len(boxes),
            size,
            targets,
        ),
        shared_bytes=shared_bytes,
    )
    return targets


_operator = register(
    "polygon_targets(Tensor points, Tensor polygon_starts, Tensor mask_starts, Tensor matched, "
    "Tensor boxes, int size) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=lambda points, polygon_starts, mask_starts, matched, boxes, size: boxes.new_empty(
        (len(boxes), size, size), dtype=torch.bool
    ),
)

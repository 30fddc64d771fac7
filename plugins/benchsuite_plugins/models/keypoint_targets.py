"""What a keypoint head is to predict: the cell of a region that each keypoint lies in."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def keypoint_cells(keypoints: Tensor, boxes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Keypoints as cells of a grid over each region.

    Args:
        keypoints: (R, K, 3), x, y, visibility, in pixels of the boxes.
        boxes: (R, 4), xyxy, the regions.
        size: cells a side, S.

    Returns:
        cells: (R, K) int64, ``row * S + column``; 0 where not valid.
        valid: (R, K) bool: the keypoint is labelled and lies in the region, whose right and bottom
            border belong to the last column and row.
    """
    position, corner, opposite = keypoints[..., :2], boxes[:, None, :2], boxes[:, None, 2:]
    cell = ((position - corner) * (size / (opposite - corner))).floor()
    cell = cell.where(position != opposite, size - 1)
    valid = ((cell >= 0) & (cell < size)).all(dim=-1) & (keypoints[..., 2] > 0)
    column, row = cell.where(valid[..., None], 0).long().unbind(-1)
    return row * size + column, valid


def keypoint_loss(logits: Tensor, cells: Tensor, valid: Tensor) -> Tensor:
    """The sum over all valid keypoints of the cross entropy over the cells of their heat maps.

    Args:
        logits: (R, K, S, S).
        cells: (R, K) int64.
        valid: (R, K) bool.

    Returns:
        () float32.
    """
    chosen = logits.flatten(2)[valid].float()
    return F.cross_entropy(chosen, cells[valid], reduction="sum")

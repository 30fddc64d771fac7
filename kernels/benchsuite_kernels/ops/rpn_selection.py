"""Which anchors of a region proposal network enter the suppression."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.anchor_grid import AnchorGrid
from benchsuite_kernels.ops.box_coding import check_weights, clipped, coded_boxes
from benchsuite_kernels.ops.dense_selection_launch import kernels_take_levels, take_anchors
from benchsuite_kernels.ops.head_maps import (
    anchor_rows,
    check_maps,
    for_cpp,
    kernels_take,
    level_anchors,
    rooms,
)
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored


def rpn_selection(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    anchors: AnchorGrid,
    sizes: Tensor,
    *,
    weights: Sequence[float],
    topk: int,
    min_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The best anchors of each level and image, decoded and clipped (Ren et al., "Faster R-CNN",
    2015).

    Of each level the ``topk`` highest logits are taken, NaN first, equal ones by ascending index of
    the anchor. Of those, what is not finite or too small is left out: nothing takes its place.
    The head's maps are read as they lie, in either memory format.

    Args:
        logits: a (N, A, H, W) float32, float16, bfloat16 or float64 a level.
        deltas: a (N, A * 4, H, W) a level: dx, dy, dw, dh of each anchor.
        sizes: (N, 2) float32, height and width of each image before padding.
        weights: of dx, dy, dw, dh, by which they are divided.
        topk: at most so many of each level.
        min_size: both sides of a clipped box must be greater, pixels.

    Returns:
        boxes: (N, M, 4) float32, xyxy, clipped; M is the sum over levels of the lesser of ``topk``
            and H * W * A. Levels one after the other, in each by descending logit. Zeros for what
            is left out.
        logits: (N, M) float32, minus infinity for what is left out.
        levels: (M,) int64.

    Raises:
        ValueError: shapes that do not fit together, or a negative ``topk``.
    """
    check_maps("logits", logits, anchors, 1)
    check_maps("deltas", deltas, anchors, 4)
    check_weights(weights)
    if sizes.shape != (logits[0].shape[0], 2):
        raise ValueError(f"sizes {tuple(sizes.shape)} are not ({logits[0].shape[0]}, 2)")
    if topk < 0:
        raise ValueError(f"topk={topk} is negative")
    strides = [float(side) for level in anchors.strides for side in level]
    boxes, scores, levels = _operator(
        *(logits, deltas, anchors.cells, strides, anchors.offset),
        *(sizes, weights, topk, min_size),
    )
    return boxes, scores, levels


def reference(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    cells: Tensor,
    strides: Sequence[float],
    offset: float,
    sizes: Tensor,
    weights: Sequence[float],
    topk: int,
    min_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``rpn_selection``, a level at a time, by a stable sort; float64 stays float64."""
    dtype = torch.float64 if logits[0].dtype == torch.float64 else torch.float32
    anchors = level_anchors(cells.to(dtype), deltas, strides, offset)
    boxes, scores, levels = [], [], []
    for level, (own_logits, own_deltas) in enumerate(zip(logits, deltas, strict=True)):
        ranked = anchor_rows(own_logits, 1).squeeze(-1).to(dtype)
        top, index = ranked.sort(dim=1, descending=True, stable=True)
        top, index = top[:, :topk], index[:, :topk]
        values = anchor_rows(own_deltas, 4).to(dtype)
        values = values.gather(1, index[..., None].expand(-1, -1, 4))
        boxes.append(coded_boxes(values, anchors[level][index], weights))
        scores.append(top)
        levels.append(torch.full((top.shape[1],), level, device=top.device))
    all_boxes, all_scores = torch.cat(boxes, dim=1), torch.cat(scores, dim=1)
    valid = all_boxes.isfinite().all(dim=-1) & all_scores.isfinite()
    all_boxes = clipped(all_boxes, sizes)
    valid &= (all_boxes[..., 2:] - all_boxes[..., :2] > min_size).all(dim=-1)
    return (
        torch.where(valid[..., None], all_boxes, 0),
        torch.where(valid, all_scores, float("-inf")),
        torch.cat(levels),
    )


def _native(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    cells: Tensor,
    strides: Sequence[float],
    offset: float,
    sizes: Tensor,
    weights: Sequence[float],
    topk: int,
    min_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if not kernels_take(logits, deltas):
        return NotImplemented
    channels_last, (own_logits, own_deltas) = for_cpp(logits, deltas)
    boxes, scores, levels = _empty(logits, sizes, topk)
    extension().rpn_selection(
        *(own_logits, own_deltas, channels_last, cells, strides, offset, stored(sizes)),
        *(weights, topk, min_size, boxes, scores, levels, torch.get_num_threads()),
    )
    return boxes, scores, levels


def _cuda(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    cells: Tensor,
    strides: Sequence[float],
    offset: float,
    sizes: Tensor,
    weights: Sequence[float],
    topk: int,
    min_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if not kernels_take(logits, deltas) or not kernels_take_levels(logits):
        return NotImplemented
    outputs = _empty(logits, sizes, topk)
    take_anchors(*(logits, deltas, cells, strides, offset, sizes, weights, topk, min_size), outputs)
    return outputs


def _empty(logits: Sequence[Tensor], sizes: Tensor, topk: int) -> tuple[Tensor, Tensor, Tensor]:
    images, room = logits[0].shape[0], sum(rooms(logits, topk))
    return (
        sizes.new_empty((images, room, 4)),
        sizes.new_empty((images, room)),
        sizes.new_empty(room, dtype=torch.int64),
    )


def _fake(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    cells: Tensor,
    strides: Sequence[float],
    offset: float,
    sizes: Tensor,
    weights: Sequence[float],
    topk: int,
    min_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    return _empty(logits, sizes, topk)


_operator = register(
    "rpn_selection(Tensor[] logits, Tensor[] deltas, Tensor cells, float[] strides, float offset,"
    " Tensor sizes, float[] weights, int topk, float min_size) -> (Tensor, Tensor, Tensor)",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)

"""Which pairs of anchor and class of a dense head enter the suppression."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.anchor_grid import AnchorGrid
from benchsuite_kernels.ops.box_coding import check_weights, clipped, coded_boxes
from benchsuite_kernels.ops.dense_selection_launch import kernels_take_levels, take_pairs
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


def dense_selection(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    anchors: AnchorGrid,
    *,
    centerness: Sequence[Tensor] = (),
    sizes: Tensor | None = None,
    weights: Sequence[float],
    threshold: float,
    topk: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """The best pairs of anchor and class of each level and image, decoded (Lin et al., "Focal loss
    for dense object detection", 2017; Tian et al., "FCOS", 2019).

    A pair's score is the sigmoid of its logit, or the geometric mean of that and the sigmoid of the
    anchor's centre-ness. Of each level the ``topk`` highest scores above the threshold (strictly)
    are taken, equal ones by ascending index of the anchor, then of the class; NaN is not. Of those,
    boxes that are not finite are left out: nothing takes their place. The head's maps are read as
    they lie, in either memory format.

    Args:
        logits: a (N, A * K, H, W) float32, float16, bfloat16 or float64 a level, K the same for
            all; in the channels anchors are outside, classes inside.
        deltas: a (N, A * 4, H, W) a level: dx, dy, dw, dh of each anchor; without weights its
            distances from the anchor's centre to the left, top, right and bottom, in widths of the
            anchor, what is negative counting as zero.
        centerness: a (N, A, H, W) logit a level, or nothing.
        sizes: (N, 2) float32, height and width of each image, to which boxes are clipped; ``None``:
            they are not.
        weights: of dx, dy, dw, dh, by which they are divided; none for distances.
        threshold: of scores, 0 to 1.
        topk: at most so many of each level.

    Returns:
        boxes: (N, M, 4) float32, xyxy; M is the sum over levels of the lesser of ``topk`` and
            H * W * A * K. Levels one after the other, in each by descending score, zeros behind
            the last and for what is left out.
        scores: (N, M) float32, minus infinity for what is left out.
        labels: (N, M) int64, 0 to K - 1.

    Raises:
        ValueError: shapes that do not fit together, or a negative ``topk``.
    """
    if not logits or not anchors.counts or not anchors.counts[0]:
        raise ValueError("there is no level, or one without anchors")
    check_maps("logits", logits, anchors, logits[0].shape[1] // anchors.counts[0])
    check_maps("deltas", deltas, anchors, 4)
    if centerness:
        check_maps("centerness", centerness, anchors, 1)
    check_weights(weights)
    if sizes is not None and sizes.shape != (logits[0].shape[0], 2):
        raise ValueError(f"sizes {tuple(sizes.shape)} are not ({logits[0].shape[0]}, 2)")
    if topk < 0:
        raise ValueError(f"topk={topk} is negative")
    strides = [float(side) for level in anchors.strides for side in level]
    boxes, scores, labels = _operator(
        *(logits, deltas, centerness, anchors.cells, strides, anchors.offset),
        *(sizes, weights, threshold, topk),
    )
    return boxes, scores, labels


def reference(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    centerness: Sequence[Tensor],
    cells: Tensor,
    strides: Sequence[float],
    offset: float,
    sizes: Tensor | None,
    weights: Sequence[float],
    threshold: float,
    topk: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """``dense_selection``, a level at a time, by a stable sort; float64 stays float64."""
    dtype = torch.float64 if logits[0].dtype == torch.float64 else torch.float32
    anchors = level_anchors(cells.to(dtype), deltas, strides, offset)
    classes = logits[0].shape[1] // (deltas[0].shape[1] // 4)
    boxes, scores, labels = [], [], []
    for level, (own_logits, own_deltas) in enumerate(zip(logits, deltas, strict=True)):
        pairs = anchor_rows(own_logits, classes).to(dtype).sigmoid()
        if centerness:
            pairs = (pairs * anchor_rows(centerness[level], 1).to(dtype).sigmoid()).sqrt()
        pairs = torch.where(pairs > threshold, pairs, float("-inf")).flatten(1)
        top, index = pairs.sort(dim=1, descending=True, stable=True)
        top, index = top[:, :topk], index[:, :topk]
        anchor = index // classes
        values = anchor_rows(own_deltas, 4).to(dtype)
        values = values.gather(1, anchor[..., None].expand(-1, -1, 4))
        boxes.append(coded_boxes(values, anchors[level][anchor], weights))
        scores.append(top)
        labels.append(index % classes)
    all_boxes, all_scores = torch.cat(boxes, dim=1), torch.cat(scores, dim=1)
    valid = all_boxes.isfinite().all(dim=-1) & (all_scores != float("-inf"))
    if sizes is not None:
        all_boxes = clipped(all_boxes, sizes)
    return (
        torch.where(valid[..., None], all_boxes, 0),
        torch.where(valid, all_scores, float("-inf")),
        torch.where(valid, torch.cat(labels, dim=1), 0),
    )


def _native(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    centerness: Sequence[Tensor],
    cells: Tensor,
    strides: Sequence[float],
    offset: float,
    sizes: Tensor | None,
    weights: Sequence[float],
    threshold: float,
    topk: int,
) -> tuple[Tensor, Tensor, Tensor]:
    if not kernels_take(logits, deltas, centerness):
        return NotImplemented
    channels_last, (own_logits, own_deltas, own_centerness) = for_cpp(logits, deltas, centerness)
    boxes, scores, labels = _empty(logits, cells, topk)
    extension().dense_selection(
        *(own_logits, own_deltas, own_centerness, channels_last, cells, strides, offset),
        *(None if sizes is None else stored(sizes), weights, threshold, topk),
        *(boxes, scores, labels, torch.get_num_threads()),
    )
    return boxes, scores, labels


def _cuda(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    centerness: Sequence[Tensor],
    cells: Tensor,
    strides: Sequence[float],
    offset: float,
    sizes: Tensor | None,
    weights: Sequence[float],
    threshold: float,
    topk: int,
) -> tuple[Tensor, Tensor, Tensor]:
    if not kernels_take(logits, deltas, centerness) or not kernels_take_levels(logits):
        return NotImplemented
    outputs = _empty(logits, cells, topk)
    take_pairs(
        *(logits, deltas, centerness, cells, strides, offset),
        *(sizes, weights, threshold, topk),
        outputs,
    )
    return outputs


def _empty(logits: Sequence[Tensor], cells: Tensor, topk: int) -> tuple[Tensor, Tensor, Tensor]:
    images, room = logits[0].shape[0], sum(rooms(logits, topk))
    return (
        cells.new_empty((images, room, 4)),
        cells.new_empty((images, room)),
        cells.new_empty((images, room), dtype=torch.int64),
    )


def _fake(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    centerness: Sequence[Tensor],
    cells: Tensor,
    strides: Sequence[float],
    offset: float,
    sizes: Tensor | None,
    weights: Sequence[float],
    threshold: float,
    topk: int,
) -> tuple[Tensor, Tensor, Tensor]:
    return _empty(logits, cells, topk)


_operator = register(
    "dense_selection(Tensor[] logits, Tensor[] deltas, Tensor[] centerness, Tensor cells,"
    " float[] strides, float offset, Tensor? sizes, float[] weights, float threshold, int topk)"
    " -> (Tensor, Tensor, Tensor)",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)

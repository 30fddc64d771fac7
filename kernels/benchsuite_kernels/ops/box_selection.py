"""Which pairs of region and class of a box branch enter the suppression.

Source: Girshick, "Fast R-CNN" (2015), section 2.3, to the conventions of Detectron2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.box_coding import check_weights, clipped, coded_boxes
from benchsuite_kernels.ops.box_selection_launch import take_boxes
from benchsuite_kernels.ops.head_maps import INDEX_LIMIT
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored


def box_selection(
    scores: Tensor,
    deltas: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    *,
    softmax: bool,
    weights: Sequence[float],
    threshold: float,
    limit: int,
    min_size: float = float("-inf"),
) -> tuple[Tensor, Tensor, Tensor]:
    """The best pairs of region and class of each image, decoded and clipped (Girshick, "Fast
    R-CNN", 2015).

    The pairs above the threshold (strictly) are taken by descending score, equal ones by ascending
    region, then class. A region of which any score or any class's box is not finite takes no part.

    Args:
        scores: (R, K + 1) floating, the background last: logits or probabilities.
        deltas: (R, K * 4) floating, dx, dy, dw, dh of each class, or (R, 4) for all together.
        boxes: (R, 4) float32, xyxy: what the deltas start from.
        image_index: (R,) int64, 0 to N - 1 in any order; below 0: the region takes no part.
        sizes: (N, 2) float32, height and width of each image before padding.
        softmax: whether ``scores`` are logits, to be normalised over each row.
        weights: of dx, dy, dw, dh, by which they are divided.
        threshold: of probabilities, 0 to 1.
        limit: at most so many of an image.
        min_size: a pair whose clipped box has a side less than this is left out, pixels.

    Returns:
        boxes: (N, M, 4) float32, xyxy, clipped; M is the lesser of ``limit`` and R * K. Zeros
            behind the last.
        scores: (N, M) float32, minus infinity behind the last.
        labels: (N, M) int64, 0 to K - 1.

    Raises:
        ValueError: shapes that do not fit together, or a negative ``limit``.
    """
    count, width = scores.shape
    if (
        boxes.shape != (count, 4)
        or image_index.shape != (count,)
        or deltas.shape[0] != count
        or deltas.shape[1:] not in ((4,), (4 * (width - 1),))
    ):
        raise ValueError(
            f"scores {tuple(scores.shape)}, deltas {tuple(deltas.shape)}, boxes "
            f"{tuple(boxes.shape)} and image_index {tuple(image_index.shape)} are not (R, K + 1), "
            "(R, K * 4) or (R, 4), (R, 4) and (R,)"
        )
    check_weights(weights)
    if sizes.shape[1:] != (2,):
        raise ValueError(f"sizes {tuple(sizes.shape)} are not (N, 2)")
    if limit < 0:
        raise ValueError(f"limit={limit} is negative")
    chosen, ratings, labels = _operator(
        *(scores, deltas, boxes, image_index, sizes, softmax, weights, threshold, limit, min_size)
    )
    return chosen, ratings, labels


def reference(
    scores: Tensor,
    deltas: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    softmax: bool,
    weights: Sequence[float],
    threshold: float,
    limit: int,
    min_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``box_selection``, an image at a time, by a stable sort; float64 stays float64."""
    dtype = torch.float64 if scores.dtype == torch.float64 else torch.float32
    scores, deltas, boxes = scores.to(dtype), deltas.to(dtype), boxes.to(dtype)
    if softmax:
        scores = scores.softmax(dim=1)
    classes = scores.shape[1] - 1
    whole = coded_boxes(deltas.unflatten(1, (-1, 4)), boxes[:, None], weights)
    finite = scores.isfinite().all(dim=1) & whole.isfinite().flatten(1).all(dim=1)
    pairs = torch.where(scores > threshold, scores, float("-inf"))[:, :-1]
    found, room = [], min(limit, pairs.numel())
    for image, size in enumerate(sizes):
        own = clipped(whole, size.expand(len(whole), 2))
        small = (own[..., 2:] - own[..., :2] < min_size).any(dim=-1)
        taken = ((image_index == image) & finite)[:, None] & ~small
        ranked = torch.where(taken, pairs, float("-inf")).flatten()
        top, index = ranked.sort(descending=True, stable=True)
        top, index = top[:room], index[:room]
        label = index % max(classes, 1)
        box = own[index // max(classes, 1), label if own.shape[1] > 1 else torch.zeros_like(label)]
        present = top != float("-inf")
        found.append((box.where(present[:, None], 0), top, label.where(present, 0)))
    if not found:
        return (
            boxes.new_zeros((0, room, 4)),
            boxes.new_zeros((0, room)),
            image_index.new_zeros((0, room)),
        )
    chosen, ratings, labels = (torch.stack(part) for part in zip(*found, strict=True))
    return chosen, ratings, labels


def _native(
    scores: Tensor,
    deltas: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    softmax: bool,
    weights: Sequence[float],
    threshold: float,
    limit: int,
    min_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if scores.dtype == torch.float64 or scores.shape[0] * scores.shape[1] >= INDEX_LIMIT:
        return NotImplemented
    # torch's softmax is vectorised.
    ratings = scores.float().softmax(dim=1) if softmax else scores.float()
    outputs = _empty(scores, sizes, limit)
    extension().box_selection(
        *(stored(ratings), stored(deltas.float()), stored(boxes), stored(image_index)),
        *(stored(sizes), weights, threshold, min_size, *outputs, torch.get_num_threads()),
    )
    return outputs


def _cuda(
    scores: Tensor,
    deltas: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    softmax: bool,
    weights: Sequence[float],
    threshold: float,
    limit: int,
    min_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if scores.dtype == torch.float64 or scores.shape[0] * scores.shape[1] >= INDEX_LIMIT:
        return NotImplemented
    outputs = _empty(scores, sizes, limit)
    take_boxes(
        *(scores, deltas, boxes, image_index, sizes, softmax, weights, threshold, min_size),
        outputs,
    )
    return outputs


def _empty(scores: Tensor, sizes: Tensor, limit: int) -> tuple[Tensor, Tensor, Tensor]:
    images, room = sizes.shape[0], min(limit, scores.shape[0] * (scores.shape[1] - 1))
    return (
        sizes.new_empty((images, room, 4)),
        sizes.new_empty((images, room)),
        sizes.new_empty((images, room), dtype=torch.int64),
    )


def _fake(
    scores: Tensor,
    deltas: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    softmax: bool,
    weights: Sequence[float],
    threshold: float,
    limit: int,
    min_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    return _empty(scores, sizes, limit)


_operator = register(
    "box_selection(Tensor scores, Tensor deltas, Tensor boxes, Tensor image_index, Tensor sizes,"
    " bool softmax, float[] weights, float threshold, int limit, float min_size)"
    " -> (Tensor, Tensor, Tensor)",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)

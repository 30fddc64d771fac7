"""RoIAlign of rotated boxes over the levels of a feature pyramid.

Convention: Detectron2's ``ROIAlignRotated``. A box is (cx, cy, w, h, angle); the angle is in
degrees, counter-clockwise in an image whose y axis points down. A box's centre lies at
``cx * scale - 0.5`` in the grid of feature centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register, register_gradient
from benchsuite_kernels.ops.roi_align_rotated_cuda import (
    pool_rotated_on_cuda,
    spread_rotated_on_cuda,
)
from benchsuite_kernels.ops.roi_maps import (
    MapShapes,
    check_regions,
    computed_in,
    empty_maps,
    laid,
)
from benchsuite_kernels.ops.rotated_samples import samples_of
from benchsuite_kernels.ops.tensors import stored


def roi_align_rotated(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int = 0,
) -> Tensor:
    """Average bilinear samples of each rotated box's bins.

    Rows of bins run along the box's width. Samples further than one pixel outside a feature map
    count as zero. A box with a number that is not finite, or of negative extent, gives zeros, and
    so does one of no extent where the number of samples follows from it.

    Args:
        features: a (N, C, H, W) floating tensor a level, all of one dtype and device.
        boxes: (R, 5): cx, cy, w, h in input pixels, angle in degrees, counter-clockwise.
        batch_index: (R,) int64, which of the N images each box belongs to.
        levels: (R,) int64, which of ``features`` each box is read from.
        scales: a level's size over the input's (1/4, 1/8, ...).
        output_size: bins a side, S.
        sampling_ratio: samples a bin and axis; 0: as many as feature pixels, rounded up.

    Returns:
        (R, C, S, S), contiguous, in the features' dtype; half precision is pooled in float32.
        Differentiable in the features, as often as wanted. On a GPU the order in which gradients
        are added up is not fixed. A box whose image or level is out of range gives zeros.

    Raises:
        ValueError: shapes that do not fit together.
    """
    check_regions(features, boxes, 5, batch_index, levels, scales, output_size, sampling_ratio)
    pooled: Tensor = _operator(
        features, boxes, batch_index, levels, scales, output_size, sampling_ratio
    )
    return pooled


def reference(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int = 0,
) -> Tensor:
    """``roi_align_rotated`` in plain torch, a box at a time."""
    images, channels = features[0].shape[:2]
    wide = computed_in(features[0].dtype)
    shape = (len(boxes), channels, output_size, output_size)
    output = features[0].new_zeros(shape, dtype=wide)
    for row, image, level in _placed(batch_index, images, levels, len(features)):
        feature = features[level][image].to(wide)
        index, weights = samples_of(
            boxes[row], scales[level], feature.shape[1:], output_size, sampling_ratio, wide
        )
        values = (feature.flatten(1)[:, index] * weights).sum(dim=(1, 3))
        output[row] = values.view(channels, output_size, output_size)
    return output.to(features[0].dtype)


def backward_reference(
    gradient: Tensor,
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    sampling_ratio: int,
    images: int,
    heights: Sequence[int],
    widths: Sequence[int],
    channels_last: bool,
) -> list[Tensor]:
    """The gradient of ``roi_align_rotated`` in its features, in plain torch, a box at a time."""
    size, wide = gradient.shape[2], computed_in(gradient.dtype)
    sums = empty_maps(gradient.to(wide), images, heights, widths, channels_last)
    for total in sums:
        total.zero_()
    for row, image, level in _placed(batch_index, images, levels, len(sums)):
        total = sums[level][image]
        index, weights = samples_of(
            boxes[row], scales[level], total.shape[1:], size, sampling_ratio, wide
        )
        spread = gradient[row].to(wide).flatten(1)[:, None, :, None] * weights
        flat = total.new_zeros(total.flatten(1).shape)
        total += flat.index_add_(1, index.flatten(), spread.flatten(1)).view_as(total)
    return [total.to(gradient.dtype) for total in sums]


def _placed(
    batch_index: Tensor, images: int, levels: Tensor, count: int
) -> list[tuple[int, int, int]]:
    """Row, image and level of each box that has both."""
    pairs = zip(batch_index.tolist(), levels.tolist(), strict=True)
    return [
        (row, image, level)
        for row, (image, level) in enumerate(pairs)
        if 0 <= image < images and 0 <= level < count
    ]


def _native(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int,
) -> Tensor:
    dtype, channels = features[0].dtype, features[0].shape[1]
    if dtype is torch.float64:
        return NotImplemented
    output = torch.empty((len(boxes), channels, output_size, output_size))
    extension().roi_align_rotated(
        laid([feature.float() for feature in features]),
        stored(boxes.float()),
        stored(batch_index),
        stored(levels),
        scales,
        sampling_ratio,
        output,
        torch.get_num_threads(),
    )
    return output.to(dtype)


def _backward_native(
    gradient: Tensor,
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    sampling_ratio: int,
    images: int,
    heights: Sequence[int],
    widths: Sequence[int],
    channels_last: bool,
) -> list[Tensor]:
    if gradient.dtype is torch.float64:
        return NotImplemented  # type: ignore[return-value]
    sums = empty_maps(gradient.float(), images, heights, widths, channels_last)
    for total in sums:
        total.zero_()
    extension().roi_align_rotated_backward(
        sums,
        stored(boxes.float()),
        stored(batch_index),
        stored(levels),
        scales,
        sampling_ratio,
        stored(gradient.float()),
        torch.get_num_threads(),
    )
    return [total.to(gradient.dtype) for total in sums]


def _fake(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int,
) -> Tensor:
    shape = (boxes.shape[0], features[0].shape[1], output_size, output_size)
    return features[0].new_empty(shape)


def _backward_fake(
    gradient: Tensor,
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    sampling_ratio: int,
    images: int,
    heights: Sequence[int],
    widths: Sequence[int],
    channels_last: bool,
) -> list[Tensor]:
    return empty_maps(gradient, images, heights, widths, channels_last)


_operator = register(
    "roi_align_rotated(Tensor[] features, Tensor boxes, Tensor batch_index, Tensor levels, "
    "float[] scales, SymInt output_size, int sampling_ratio) -> Tensor",
    reference=reference,
    native=_native,
    cuda=pool_rotated_on_cuda,
    fake=_fake,
)

_backward = register(
    "roi_align_rotated_backward(Tensor gradient, Tensor boxes, Tensor batch_index, Tensor levels, "
    "float[] scales, int sampling_ratio, SymInt images, SymInt[] heights, SymInt[] widths, "
    "bool channels_last) -> Tensor[]",
    reference=backward_reference,
    native=_backward_native,
    cuda=spread_rotated_on_cuda,
    fake=_backward_fake,
)


def _keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    features, boxes, batch_index, levels, ctx.scales, _, ctx.sampling_ratio = inputs
    ctx.maps = MapShapes.of(features)
    ctx.save_for_backward(boxes, batch_index, levels)


def _spread(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    sums = _backward(gradient, *ctx.saved_tensors, ctx.scales, ctx.sampling_ratio, *ctx.maps)
    return sums, None, None, None, None, None, None


def _keep_for_second(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    gradient, boxes, batch_index, levels, ctx.scales, ctx.sampling_ratio, *_ = inputs
    ctx.size = gradient.shape[2]
    ctx.save_for_backward(boxes, batch_index, levels)


def _pool_again(ctx: Any, gradients: list[Tensor]) -> tuple[Any, ...]:
    """Pooling is linear: the gradient of its gradient is pooling."""
    pooled = _operator(gradients, *ctx.saved_tensors, ctx.scales, ctx.size, ctx.sampling_ratio)
    return pooled, *(None,) * 9


register_gradient("roi_align_rotated", _spread, _keep_for_backward)
register_gradient("roi_align_rotated_backward", _pool_again, _keep_for_second)

"""RoIAlign over the levels of a feature pyramid, in one call.

Source: He et al., "Mask R-CNN" (2017), section 3, with the half-pixel correction that Detectron2
calls ROIAlignV2 (``aligned=True`` in torchvision): a box's corner ``x`` lies at ``x * scale - 0.5``
in the grid of feature centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import roi_align as torchvision_roi_align

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register, register_gradient
from benchsuite_kernels.ops.roi_align_cuda import pool_on_cuda, spread_on_cuda
from benchsuite_kernels.ops.roi_maps import MapShapes, check_regions, computed_in, empty_maps, laid
from benchsuite_kernels.ops.tensors import stored


def roi_align(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int = 0,
) -> Tensor:
    """Average bilinear samples of each box's bins.

    Samples further than one pixel outside a feature map count as zero. A box with a coordinate
    that is not finite gives zeros, and so does one of no or negative extent where the number of
    samples follows from it.

    Args:
        features: a (N, C, H, W) floating tensor a level, all of one dtype and device.
        boxes: (R, 4), xyxy, input pixels.
        batch_index: (R,) int64, which of the N images each box belongs to.
        levels: (R,) int64, which of ``features`` each box is read from.
        scales: a level's size over the input's (1/4, 1/8, ...).
        output_size: bins a side, S.
        sampling_ratio: samples a bin and axis; 0: as many as feature pixels, rounded up.

    Returns:
        (R, C, S, S), contiguous, in the features' dtype; half precision is pooled in float32.
        Differentiable in the features, as often as wanted. On a GPU the order in which gradients
        are added up is not fixed.

    Raises:
        ValueError: shapes that do not fit together, or an index out of range (on the CPU; kernels
            on a GPU give zeros for its box).
    """
    check_regions(features, boxes, 4, batch_index, levels, scales, output_size, sampling_ratio)
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
    """``roi_align`` by torchvision, a level at a time."""
    dtype, channels = features[0].dtype, features[0].shape[1]
    _check_indices(batch_index, features[0].shape[0], levels, len(features))
    wide = computed_in(dtype)
    output = boxes.new_zeros((len(boxes), channels, output_size, output_size), dtype=wide)
    for level, (feature, scale) in enumerate(zip(features, scales, strict=True)):
        chosen, rois = _of_level(level, boxes, batch_index, levels, wide)
        pooled = torchvision_roi_align(
            feature.to(wide), rois, output_size, scale, sampling_ratio, aligned=True
        )
        output.index_put_((chosen,), pooled)
    return output.to(dtype)


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
    """The gradient of ``roi_align`` in its features, by torchvision, a level at a time."""
    size, wide = gradient.shape[2], computed_in(gradient.dtype)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    sums = []
    for level, (scale, height, width) in enumerate(zip(scales, heights, widths, strict=True)):
        chosen, rois = _of_level(level, boxes, batch_index, levels, wide)
        total = torch.ops.torchvision._roi_align_backward(
            gradient.to(wide)[chosen],
            rois,
            scale,
            size,
            size,
            images,
            gradient.shape[1],
            height,
            width,
            sampling_ratio,
            True,
        )
        sums.append(total.to(gradient.dtype).contiguous(memory_format=layout))
    return sums


def _of_level(
    level: int, boxes: Tensor, batch_index: Tensor, levels: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Which finite boxes are read from a level, and those as torchvision takes them."""
    finite = boxes.isfinite().all(dim=1)
    chosen = torch.nonzero((levels == level) & finite).squeeze(1)
    rois = torch.cat([batch_index[:, None].to(dtype), boxes.to(dtype)], dim=1)
    return chosen, rois[chosen]


def _check_indices(batch_index: Tensor, images: int, levels: Tensor, count: int) -> None:
    if batch_index.device.type != "cpu":
        return
    for name, index, size in (("batch_index", batch_index, images), ("levels", levels, count)):
        wrong = torch.nonzero((index < 0) | (index >= size))
        if len(wrong):
            at = int(wrong[0])
            raise ValueError(f"{name}[{at}] is {int(index[at])}, outside 0 to {size - 1}")


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
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        return NotImplemented
    output = torch.empty((len(boxes), channels, output_size, output_size))
    extension().roi_align(
        laid(features),
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
    extension().roi_align_backward(
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
    "roi_align(Tensor[] features, Tensor boxes, Tensor batch_index, Tensor levels, float[] scales, "
    "SymInt output_size, int sampling_ratio) -> Tensor",
    reference=reference,
    native=_native,
    cuda=pool_on_cuda,
    fake=_fake,
)

_backward = register(
    "roi_align_backward(Tensor gradient, Tensor boxes, Tensor batch_index, Tensor levels, "
    "float[] scales, int sampling_ratio, SymInt images, SymInt[] heights, SymInt[] widths, "
    "bool channels_last) -> Tensor[]",
    reference=backward_reference,
    native=_backward_native,
    cuda=spread_on_cuda,
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


register_gradient("roi_align", _spread, _keep_for_backward)
register_gradient("roi_align_backward", _pool_again, _keep_for_second)

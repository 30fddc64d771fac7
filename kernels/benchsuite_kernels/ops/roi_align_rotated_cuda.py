"""RoIAlign of rotated boxes by CUDA kernels: all levels in one launch, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.cuda.source import MACROS
from benchsuite_kernels.ops.roi_align_cuda import MOST_LEVELS, pyramid_arguments
from benchsuite_kernels.ops.roi_maps import are_channels_last, empty_maps, laid
from benchsuite_kernels.ops.tensors import stored

_THREADS = 256
_MOST_BLOCKS = 1 << 16


def pool_rotated_on_cuda(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int,
) -> Tensor:
    """``roi_align_rotated``; float32, float16 and bfloat16, up to five levels."""
    dtype, channels = features[0].dtype, features[0].shape[1]
    if dtype not in MACROS or len(features) > MOST_LEVELS:
        return NotImplemented
    output = features[0].new_empty((len(boxes), channels, output_size, output_size))
    maps = laid(features)
    _launch("roi_align_rotated", maps, boxes, batch_index, levels, scales, sampling_ratio, output)
    return output


def spread_rotated_on_cuda(
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
    """``roi_align_rotated_backward``; float32, float16 and bfloat16, added up in float32."""
    if gradient.dtype not in MACROS or len(heights) > MOST_LEVELS:
        return NotImplemented  # type: ignore[return-value]
    single = torch.empty((0, gradient.shape[1]), device=gradient.device)
    sums = empty_maps(single, images, heights, widths, channels_last)
    for total in sums:
        total.zero_()
    kernel, pooled = "roi_align_rotated_backward", stored(gradient)
    _launch(kernel, sums, boxes, batch_index, levels, scales, sampling_ratio, pooled)
    return [total.to(gradient.dtype) for total in sums]


def _launch(
    kernel: str,
    maps: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    sampling_ratio: int,
    pooled: Tensor,
) -> None:
    sizes = [(each.shape[2], each.shape[3]) for each in maps]
    blocks = -(-pooled.numel() // _THREADS)
    launch(
        "roi_align_rotated.cu",
        kernel,
        grid=(min(blocks, _MOST_BLOCKS), 1, 1),
        block=(_THREADS, 1, 1),
        arguments=(
            *pyramid_arguments(maps, sizes, scales),
            stored(boxes.float()),
            stored(batch_index),
            stored(levels),
            len(boxes),
            maps[0].shape[0],
            maps[0].shape[1],
            are_channels_last(maps),
            pooled.shape[2],
            sampling_ratio,
            pooled,
        ),
        scalar=pooled.dtype,
    )

"""RoIAlign by CUDA kernels: all levels in one launch, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.cuda.source import MACROS
from benchsuite_kernels.ops.roi_maps import are_channels_last, empty_maps, laid
from benchsuite_kernels.ops.tensors import stored

MOST_LEVELS = 5
_THREADS = 256
_MOST_BLOCKS = 1 << 20
_MOST_SHARED = 40 << 10


def pool_on_cuda(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int,
) -> Tensor:
    """``roi_align``; float32, float16 and bfloat16, up to five levels."""
    dtype, channels = features[0].dtype, features[0].shape[1]
    capacity = _capacity([feature.shape[2:] for feature in features], output_size)
    share = _channels_a_block(channels, output_size, capacity)
    if dtype not in MACROS or len(features) > MOST_LEVELS or share == 0:
        return NotImplemented
    output = features[0].new_empty((len(boxes), channels, output_size, output_size))
    maps = laid(features)
    sizes = [(feature.shape[2], feature.shape[3]) for feature in maps]
    layout = "channels_last" if are_channels_last(maps) else "planes"
    _launch(
        "roi_align.cu",
        f"roi_align_{layout}",
        maps,
        sizes,
        scales,
        [boxes, batch_index, levels],
        output,
        (features[0].shape[0], channels, share, output_size, sampling_ratio, capacity),
    )
    return output


def spread_on_cuda(
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
    """``roi_align_backward``; float32, float16 and bfloat16, added up in float32."""
    channels, size = gradient.shape[1], gradient.shape[2]
    capacity = _capacity(list(zip(heights, widths, strict=True)), size)
    share = _channels_a_block(channels, size, capacity)
    if gradient.dtype not in MACROS or len(heights) > MOST_LEVELS or share == 0:
        return NotImplemented  # type: ignore[return-value]
    single = torch.empty((0, channels), device=gradient.device)
    sums = empty_maps(single, images, heights, widths, channels_last)
    for total in sums:
        total.zero_()
    _launch(
        "roi_align_backward.cu",
        f"roi_align_backward_{'channels_last' if channels_last else 'planes'}",
        sums,
        list(zip(heights, widths, strict=True)),
        scales,
        [boxes, batch_index, levels],
        stored(gradient),
        (images, channels, share, size, sampling_ratio, capacity),
    )
    return [total.to(gradient.dtype) for total in sums]


def _launch(
    source: str,
    kernel: str,
    maps: Sequence[Tensor],
    sizes: Sequence[tuple[int, int]],
    scales: Sequence[float],
    regions: Sequence[Tensor],
    pooled: Tensor,
    numbers: tuple[int, int, int, int, int, int],
) -> None:
    boxes, batch_index, levels = regions
    _, channels, share, bins, _, capacity = numbers
    blocks = len(boxes) * -(-channels // share) if channels else 0
    launch(
        source,
        kernel,
        grid=(min(blocks, _MOST_BLOCKS), 1, 1),
        block=(_THREADS, 1, 1),
        arguments=(
            *pyramid_arguments(maps, sizes, scales),
            stored(boxes.float()),
            stored(batch_index),
            stored(levels),
            len(boxes),
            *numbers,
            pooled,
        ),
        scalar=pooled.dtype,
        shared_bytes=_shared_bytes(share, bins, capacity),
    )


def pyramid_arguments(
    maps: Sequence[Tensor], sizes: Sequence[tuple[int, int]], scales: Sequence[float]
) -> list[Tensor | int | float]:
    """The maps as the kernels' first parameters: ``MOST_LEVELS`` of each, and how many there are.

    Args:
        maps: a tensor a level, planes or channels last.
        sizes: H and W of each.
        scales: a level's size over the input's.
    """
    unused = MOST_LEVELS - len(maps)
    return [
        *maps,
        *[maps[0]] * unused,
        *[height << 32 | width for height, width in sizes],
        *[0] * unused,
        *scales,
        *[0.0] * unused,
        len(maps),
    ]


def _capacity(sizes: Sequence[Sequence[int]], bins: int) -> int:
    """How many weights all bins of an axis have at most; see ``roi_bins.cuh``."""
    return max(max(size) for size in sizes) + 3 * bins + 4


def _shared_bytes(share: int, bins: int, capacity: int) -> int:
    """Three integers for each bin and axis, their weights, and what is pooled."""
    return 4 * (2 * 3 * bins + 2 * capacity + share * bins * bins)


def _channels_a_block(channels: int, bins: int, capacity: int) -> int:
    """How many channels of a box a block works on; 0: not even one fits."""
    share = 64
    while share and _shared_bytes(share, bins, capacity) > _MOST_SHARED:
        share //= 2
    return min(share, max(channels, 1)) if share else 0

"""Outputs of dense heads: maps whose channels hold several values of several anchors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.ops.anchor_grid import AnchorGrid, anchor_boxes

INDEX_LIMIT = 1 << 32
"""Kernels number the values of one image's map in 32 bits."""


def anchor_rows(output: Tensor, values: int) -> Tensor:
    """A head's output in the order of the anchors: (N, A * values, H, W) to (N, H * W * A, values).

    In the channels the anchors are outside, the values inside.
    """
    images, channels, height, width = output.shape
    split = output.view(images, channels // values, values, height, width)
    return split.permute(0, 3, 4, 1, 2).reshape(images, -1, values)


def level_anchors(
    cells: Tensor, deltas: Sequence[Tensor], strides: Sequence[float], offset: float
) -> list[Tensor]:
    """The anchors (H * W * A, 4) of each level of a head.

    Args:
        cells, strides, offset: as in ``AnchorGrid``; strides along y and along x in turn.
        deltas: a (N, A * 4, H, W) a level.
    """
    return anchor_boxes(
        cells,
        [each.shape[1] // 4 for each in deltas],
        [(each.shape[2], each.shape[3]) for each in deltas],
        list(zip(strides[::2], strides[1::2], strict=True)),
        offset,
    )


def rooms(logits: Sequence[Tensor], topk: int) -> list[int]:
    """How many candidates of each level there may be."""
    return [min(topk, each.shape[1] * each.shape[2] * each.shape[3]) for each in logits]


def kernels_take(*heads: Sequence[Tensor]) -> bool:
    """Whether kernels read such maps: of one dtype that is not float64, and not too large."""
    dtype = heads[0][0].dtype
    return dtype != torch.float64 and all(
        each.dtype == dtype and each.shape[1] * each.shape[2] * each.shape[3] < INDEX_LIMIT
        for head in heads
        for each in head
    )


def lie_channels_last(*heads: Sequence[Tensor]) -> bool:
    """Whether all maps are stored with the channels densest."""
    return all(
        each.is_contiguous(memory_format=torch.channels_last) for head in heads for each in head
    )


def as_stored(maps: Sequence[Tensor], channels_last: bool) -> list[Tensor]:
    """(N, C, H, W) maps as kernels read them: dense, (N, H, W, C) where channels come last.

    Those in another order are copied.
    """
    if not channels_last:
        return [each.contiguous() for each in maps]
    return [each.permute(0, 2, 3, 1) for each in maps]


def for_cpp(
    *heads: Sequence[Tensor],
) -> tuple[bool, list[list[Tensor]]]:
    """Whether channels come last, and each head's maps as C++ reads them: float32 or bfloat16."""
    channels_last = lie_channels_last(*heads)
    if heads[0][0].dtype == torch.float16:
        heads = tuple([each.float() for each in head] for head in heads)
    return channels_last, [as_stored(head, channels_last) for head in heads]


def check_maps(name: str, maps: Sequence[Tensor], grid: AnchorGrid, values: int) -> None:
    """Check that there is a map a level, of ``values`` channels an anchor.

    Raises:
        ValueError: it is otherwise.
    """
    if not maps or len(maps) != len(grid.shapes):
        raise ValueError(f"{len(maps)} maps of {name} for {len(grid.shapes)} levels of anchors")
    images = maps[0].shape[0]
    for level, (each, count) in enumerate(zip(maps, grid.counts, strict=True)):
        height, width = grid.shapes[level]
        if each.shape != (images, count * values, height, width):
            expected = (images, count * values, height, width)
            raise ValueError(f"{name}[{level}] is {tuple(each.shape)}, not {expected}")

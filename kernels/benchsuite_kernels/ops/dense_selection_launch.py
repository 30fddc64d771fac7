"""Selection from dense heads by the kernels of ``dense_selection.cu``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import inf, log, prod

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.ops.head_maps import as_stored, lie_channels_last
from benchsuite_kernels.ops.tensors import stored

SOURCE = "dense_selection.cu"

# As in dense_selection.cu.
THREADS = 256
PACK_BYTES = 16
PACKS = 8
BINS = 2048
MOST_LEVELS = 6

TAKE_THREADS = 512

CAPACITY = 65536
"""Keys that are collected of a level and image, at least; where there are more the map is read
again, by one block alone."""

Columns = tuple[int, int, int, int, int, int, int, int]


class Head:
    """The maps of a head as the kernels take them.

    Args:
        logits: a (N, A * K, H, W) a level.
        others: the head's other maps, in the same memory format and dtype, or nothing.
        anchors: A of each level.
    """

    def __init__(
        self,
        logits: Sequence[Tensor],
        others: Sequence[Sequence[Tensor]],
        anchors: Sequence[int],
        strides: Sequence[float],
        topk: int,
    ) -> None:
        heads = [logits, *(other for other in others if other)]
        self.channels_last = lie_channels_last(*heads)
        self.logits = self.pointers(logits)
        self.others = [self.pointers(other or logits) for other in others]
        self.scalar = logits[0].dtype
        self.device = logits[0].device
        self.images = logits[0].shape[0]
        self.levels = len(logits)
        shapes = tuple((each.shape[1], each.shape[2], each.shape[3]) for each in logits)
        chunk = THREADS * PACKS * PACK_BYTES // logits[0].element_size()
        columns, self.chunks, self.room = level_columns(shapes, tuple(anchors), topk, chunk)
        self.parts = max((-(-column[6] // THREADS) for column in columns), default=0)
        self.table, self.strides = tables(columns, tuple(strides), self.device)
        self.tasks = self.images * self.levels
        self.capacity = max(CAPACITY, 4 * topk)

    def pointers(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """One map a level that there may be."""
        own = as_stored(maps, self.channels_last)
        return own + own[:1] * (MOST_LEVELS - len(own))

    def integers(self, *shape: int) -> Tensor:
        """Zeros, as the kernels count."""
        return torch.zeros(shape, dtype=torch.int32, device=self.device)

    def keys(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.int64, device=self.device)

    def start(self, kernel: str, blocks: int, threads: int, *arguments: Tensor | float) -> None:
        """Launch a kernel."""
        launch(
            SOURCE,
            kernel,
            grid=(blocks, 1, 1),
            block=(threads, 1, 1),
            arguments=arguments,
            scalar=self.scalar,
        )


def kernels_take_levels(logits: Sequence[Tensor]) -> bool:
    """Whether the kernels know so many levels."""
    return len(logits) <= MOST_LEVELS


def take_anchors(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    cells: Tensor,
    strides: Sequence[float],
    offset: float,
    sizes: Tensor,
    weights: Sequence[float],
    topk: int,
    min_size: float,
    outputs: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Fill the outputs of ``rpn_selection``, without a wait for the device."""
    head = Head(logits, [deltas], [each.shape[1] for each in logits], strides, topk)
    last, levels = int(head.channels_last), head.levels
    if outputs[1].numel() == 0:
        return
    histogram = head.integers(head.tasks, BINS)
    keys, counts = head.keys(head.tasks, head.capacity), head.integers(head.tasks)
    best, best_counts = head.keys(head.images, head.room), head.integers(head.tasks)
    blocks = head.chunks * head.images
    head.start(
        "rpn_histogram", blocks, THREADS,
        *head.logits, head.table, histogram, levels, head.images,
    )  # fmt: skip
    head.start(
        "rpn_collect", blocks, THREADS,
        *head.logits, head.table, histogram, keys, counts, levels, head.images, last, head.capacity,
    )  # fmt: skip
    head.start(
        "rpn_take", head.tasks, TAKE_THREADS,
        *head.logits, head.table, keys, counts, best, best_counts,
        levels, last, head.capacity, head.room,
    )  # fmt: skip
    head.start(
        "rpn_place", head.tasks * head.parts, THREADS,
        *head.others[0], head.table, stored(cells), head.strides, stored(sizes), best, best_counts,
        *outputs, levels, head.parts, head.room, last,
        float(offset), *map(float, weights), float(min_size),
    )  # fmt: skip


def take_pairs(
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
    outputs: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Fill the outputs of ``dense_selection``, without a wait for the device."""
    anchors = [each.shape[1] // 4 for each in deltas]
    head = Head(logits, [deltas, centerness], anchors, strides, topk)
    last, levels, centered = int(head.channels_last), head.levels, int(bool(centerness))
    if outputs[1].numel() == 0:
        return
    keys, counts = head.keys(head.tasks, head.capacity), head.integers(head.tasks)
    best, best_counts = head.keys(head.images, head.room), head.integers(head.tasks)
    rank = (centered, logit_below(threshold * threshold if centered else threshold), threshold)
    head.start(
        "dense_collect", head.chunks * head.images, THREADS,
        *head.logits, *head.others[1], head.table, keys, counts,
        levels, head.images, last, head.capacity, *rank,
    )  # fmt: skip
    head.start(
        "dense_take", head.tasks, TAKE_THREADS,
        *head.logits, *head.others[1], head.table, keys, counts, best, best_counts,
        levels, last, head.capacity, head.room, *rank,
    )  # fmt: skip
    head.start(
        "dense_place", head.tasks * head.parts, THREADS,
        *head.others[0], head.table, stored(cells), head.strides,
        stored(cells if sizes is None else sizes), best, best_counts, *outputs,
        levels, head.parts, head.room, last, int(sizes is not None), int(not weights),
        float(offset), *map(float, weights or (1.0,) * 4),
    )  # fmt: skip


def logit_below(score: float) -> float:
    """A logit below which no sigmoid, as rounded as it may be, reaches ``score``."""
    share = score * (1 - 1e-5)
    if share <= 0 or share >= 1:
        return -inf if share <= 0 else inf
    logit = log(share / (1 - share))
    return logit - 1e-5 * (1 + abs(logit))


def level_columns(
    shapes: tuple[tuple[int, int, int], ...], anchors: tuple[int, ...], topk: int, chunk: int
) -> tuple[tuple[Columns, ...], int, int]:
    """What the kernels know of each level, and how many chunks and places there are in all.

    Args:
        shapes: channels of the logits, height and width of each level.
        chunk: logits that a block reads.
    """
    rows: list[Columns] = []
    first_cell = first_place = first_chunk = 0
    for (channels, height, width), count in zip(shapes, anchors, strict=True):
        size = prod((channels, height, width))
        room = min(topk, size)
        rows.append(
            (count, height, width, channels // count, first_cell, first_place, room, first_chunk)
        )
        first_cell += count
        first_place += room
        first_chunk += -(-size // chunk)
    return tuple(rows), first_chunk, first_place


@cache
def tables(
    columns: tuple[Columns, ...], strides: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The same on the device, with the strides: copied once for each shape of maps, so that a
    captured graph finds them again."""
    host = torch.tensor(columns), torch.tensor(strides, dtype=torch.float32)
    if device.type == "cpu":
        return host
    # From pinned memory the copy is not waited for.
    table, steps = (each.pin_memory().to(device, non_blocking=True) for each in host)
    return table, steps

"""Run lengths of masks, on the device: what travels to the host.

The runs of R masks are one int32 tensor (R + 1 + capacity,). Its first R + 1 numbers say where the
ends of each mask's runs begin among those that follow, and how many there are in all. A run's end
is the pixel behind its last one, counted column by column; the first run is of background, and the
last end is the image's number of pixels. So a tensor has a fixed size: where the ends in all are
more than ``capacity``, the rest is missing, and the number in all tells so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from benchsuite_kernels.columns import rle
from benchsuite_kernels.columns.rle_reference import compress_each
from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import emulating, extension, native
from benchsuite_kernels.ops.compress_runs import compress_runs
from benchsuite_kernels.ops.packed_masks import (
    halves,
    packed_by_torch,
    unpack_masks,
    words_of,
)
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import on_host, stored

SEGMENT_WORDS = 512
"""Words of a mask that a block looks at: four 32-bit ones a thread."""

ENDS_A_MASK = 1536
"""What is expected: twice the columns of a mask of half a large image, and ragged ones' edges."""

LETTERS_A_RUN = 2
"""What is expected: one letter holds -16 to 15, two hold -512 to 511."""

Size = tuple[int, int]


def packed_to_rle(bits: Tensor, sizes: Sequence[Size]) -> list[bytes]:
    """Masks as COCO's compressed run lengths; only the runs are copied to the host.

    Args:
        bits: (R, words) int64, packed masks.
        sizes: height and width of each mask's image.

    Raises:
        ValueError: other shapes or dtypes, or fewer bits than pixels.
    """
    if bits.ndim != 2 or bits.dtype is not torch.int64 or len(sizes) != len(bits):
        raise ValueError(
            f"bits {tuple(bits.shape)} {bits.dtype} with {len(sizes)} sizes, not (R, words) int64 "
            "with R sizes"
        )
    pixels = [height * width for height, width in sizes]
    if max(map(words_of, pixels), default=0) > bits.shape[1]:
        raise ValueError(f"{bits.shape[1]} words are not enough for {max(pixels)} pixels")
    counted = torch.tensor(pixels, dtype=torch.int64).to(bits.device, non_blocking=True)
    return rle_of_runs(lambda capacity: runs_from_packed(bits, counted, capacity), len(bits))


def packed_from_rle(
    counts: Sequence[bytes], sizes: Sequence[Size], device: torch.device | None = None
) -> Tensor:
    """COCO's compressed run lengths as packed masks: (R, words) int64.

    Args:
        counts: of each mask.
        sizes: height and width of each mask's image; the largest says how many words.
        device: ``None``: the CPU.

    Raises:
        ValueError: a malformed RLE, an image of more pixels than can be packed, or not as many
            sizes as masks.
    """
    if len(counts) != len(sizes):
        raise ValueError(f"{len(counts)} masks with {len(sizes)} sizes")
    words = max((words_of(height * width) for height, width in sizes), default=0)
    if native() is not None:
        bits = torch.empty((len(counts), words), dtype=torch.int64)
        extension().packed_from_rle(list(counts), list(sizes), bits, torch.get_num_threads())
    else:
        masks = [
            packed_by_torch(torch.from_numpy(rle.decode(each, size))[None].bool(), words)
            for each, size in zip(counts, sizes, strict=True)
        ]
        bits = torch.cat(masks) if masks else torch.zeros((0, words), dtype=torch.int64)
    return bits if device is None else bits.to(device, non_blocking=True)


def rle_of_runs(find: Callable[[int], Tensor], masks: int) -> list[bytes]:
    """The compressed counts of each mask, by one copy to the host, unless there are very many runs.

    Args:
        find: from a capacity to the runs.
    """
    capacity = ENDS_A_MASK * masks
    runs = find(capacity)
    if runs.device.type != "cpu" or emulating():
        return _compressed_on_device(runs, find, masks)
    if (found := int(runs[masks])) > capacity:
        runs = find(found)
    return rle_from_runs(runs, masks)


def _compressed_on_device(runs: Tensor, find: Callable[[int], Tensor], masks: int) -> list[bytes]:
    while True:
        capacity = len(runs) - masks - 1
        letters = LETTERS_A_RUN * capacity
        text = on_host(compress_runs(runs, masks, letters))
        *starts, written, ends = text[: masks + 2].tolist()
        if ends <= capacity and written <= letters:
            break
        runs = find(max(ends, -(-written // LETTERS_A_RUN)))
    body = text[masks + 2 :].numpy().tobytes()
    return [body[start:stop] for start, stop in pairwise([*starts, written])]


def rle_from_runs(runs: Tensor, masks: int) -> list[bytes]:
    """The compressed counts of each mask.

    Args:
        runs: (masks + 1 + capacity,) int32, on the CPU.

    Raises:
        ValueError: there was no room for all ends, or they do not ascend.
    """
    if native() is not None:
        counts: list[bytes] = extension().rle_from_ends(runs, masks)
        return counts
    starts = runs[: masks + 1].numpy().astype(np.int64)
    ends = runs[masks + 1 :].numpy().astype(np.int64)
    if starts[masks] > len(ends):
        raise ValueError(f"{starts[masks]} runs end, and there was room for {len(ends)}")
    ends = ends[: starts[masks]]
    lengths = np.diff(ends, prepend=0)
    lengths[starts[:-1]] = ends[starts[:-1]]
    return compress_each(lengths, starts)


def runs_by_torch(masks: Sequence[Tensor], capacity: int, device: torch.device) -> Tensor:
    """The runs of masks that are (H, W) bool each."""
    ends = []
    for mask in masks:
        flat = mask.T.reshape(-1)
        before = torch.cat([flat.new_zeros(1), flat])[:-1]
        changes = torch.nonzero(flat != before).squeeze(1)
        ends.append(torch.cat([changes, changes.new_tensor([mask.numel()])]))
    runs = torch.zeros(len(masks) + 1 + capacity, dtype=torch.int32, device=device)
    if ends:
        lengths = torch.tensor([len(each) for each in ends], device=device)
        runs[1 : len(masks) + 1] = lengths.cumsum(0)
        found = torch.cat(ends)[:capacity]
        runs[len(masks) + 1 :][: len(found)] = found
    return runs


def _runs_reference(bits: Tensor, pixels: Tensor, capacity: int) -> Tensor:
    masks = [
        unpack_masks(mask[None], count, 1)[0]
        for mask, count in zip(bits, pixels.tolist(), strict=True)
    ]
    return runs_by_torch(masks, capacity, bits.device)


def _runs_native(bits: Tensor, pixels: Tensor, capacity: int) -> Tensor:
    runs = torch.empty(len(bits) + 1 + capacity, dtype=torch.int32)
    extension().runs_from_packed(stored(bits), stored(pixels), runs, torch.get_num_threads())
    return runs


def runs_cuda(bits: Tensor, pixels: Tensor, capacity: int) -> Tensor:
    """``runs_from_packed`` on a device: changes are counted, their places summed, then written."""
    masks, words = bits.shape
    runs = bits.new_zeros(masks + 1 + capacity, dtype=torch.int32)
    segments = max(1, -(-words // SEGMENT_WORDS))
    places = bits.new_empty(masks * segments + 1)
    given = (halves(bits), stored(pixels), masks, words, segments)
    every = (masks * segments, 1, 1)
    launch(
        "packed_runs.cu",
        "count_ends",
        grid=every,
        block=(256, 1, 1),
        arguments=(*given, places),
    )
    launch(
        "packed_runs.cu",
        "place_ends",
        grid=(1, 1, 1),
        block=(1024, 1, 1),
        arguments=(places, masks, segments, runs),
    )
    launch(
        "packed_runs.cu",
        "write_ends",
        grid=every,
        block=(256, 1, 1),
        arguments=(*given, places, capacity, runs),
    )
    return runs


def _packed_reference(runs: Tensor, masks: int, words: int) -> Tensor:
    starts, ends = runs[: masks + 1].tolist(), runs[masks + 1 :].tolist()
    bits = torch.zeros((masks, words * 64, 1), dtype=torch.bool, device=runs.device)
    for mask, (begin, end) in enumerate(pairwise(starts)):
        own = ends[begin:end]
        for first, last in zip(own[::2], own[1::2], strict=False):
            bits[mask, first:last] = True
    return packed_by_torch(bits, words)


def _packed_native(runs: Tensor, masks: int, words: int) -> Tensor:
    bits = torch.empty((masks, words), dtype=torch.int64)
    extension().packed_from_runs(stored(runs), bits, torch.get_num_threads())
    return bits


def _packed_cuda(runs: Tensor, masks: int, words: int) -> Tensor:
    bits = runs.new_zeros((masks, words), dtype=torch.int64)
    launch(
        "packed_runs.cu",
        "fill_runs",
        grid=(masks * 8, 1, 1),
        block=(256, 1, 1),
        arguments=(stored(runs), masks, len(runs) - masks - 1, words, halves(bits)),
    )
    return bits


runs_from_packed = register(
    "runs_from_packed(Tensor bits, Tensor pixels, int capacity) -> Tensor",
    reference=_runs_reference,
    native=_runs_native,
    cuda=runs_cuda,
    fake=lambda bits, pixels, capacity: bits.new_empty(len(bits) + 1 + capacity, dtype=torch.int32),
)
"""Packed masks (R, words) int64 of ``pixels`` (R,) int64 each to their runs."""

packed_from_runs = register(
    "packed_from_runs(Tensor runs, int masks, int words) -> Tensor",
    reference=_packed_reference,
    native=_packed_native,
    cuda=_packed_cuda,
    fake=lambda runs, masks, words: runs.new_empty((masks, words), dtype=torch.int64),
)
"""Runs of so many masks, all of which found room, to packed masks (masks, words) int64."""

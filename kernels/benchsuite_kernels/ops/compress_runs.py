"""Runs as the letters of COCO's compressed run lengths, made on the device.

So less than half as many bytes travel as of runs, and the host has nothing to compute.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_kernels.columns.rle_reference import compress_each
from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

CHUNK = 1024
"""Runs that a block looks at."""


def _reference(runs: Tensor, masks: int, letters: int) -> Tensor:
    numbers = runs.cpu().numpy().astype("int64")
    starts, ends = numbers[: masks + 1], numbers[masks + 1 :]
    starts = starts.clip(max=len(ends))
    ends = ends[: starts[masks]]
    lengths = ends.copy()
    lengths[1:] -= ends[:-1]
    first = starts[:-1][starts[:-1] < len(ends)]
    lengths[first] = ends[first]
    counts = compress_each(lengths, starts)
    heads = torch.tensor([0, *map(len, counts)]).cumsum(0)
    text = torch.zeros(4 * (-(-letters // 4)), dtype=torch.uint8)
    written = torch.frombuffer(bytearray(b"".join(counts) or b"0"), dtype=torch.uint8)
    written = written[: min(int(heads[masks]), letters)]
    text[: len(written)] = written
    parts = [heads.int(), runs[masks : masks + 1].cpu(), text.view(torch.int32)]
    return torch.cat(parts).to(runs.device)


def _cuda(runs: Tensor, masks: int, letters: int) -> Tensor:
    capacity = len(runs) - masks - 1
    chunks = -(-capacity // CHUNK)
    places = torch.zeros(chunks + 1, dtype=torch.int64, device=runs.device)
    text = runs.new_zeros(masks + 2 + -(-letters // 4))
    given = (stored(runs), masks, capacity, chunks)
    launch(
        "compress_runs.cu",
        "count_letters",
        grid=(chunks, 1, 1),
        block=(256, 1, 1),
        arguments=(*given, places),
    )
    launch(
        "compress_runs.cu",
        "place_letters",
        grid=(1, 1, 1),
        block=(1024, 1, 1),
        arguments=(chunks, places),
    )
    launch(
        "compress_runs.cu",
        "write_letters",
        grid=(max(chunks, 1), 1, 1),
        block=(256, 1, 1),
        arguments=(*given, places, letters, text, text[masks + 2 :].view(torch.uint8)),
    )
    return text


compress_runs = register(
    "compress_runs(Tensor runs, int masks, int letters) -> Tensor",
    reference=_reference,
    cuda=_cuda,
    fake=lambda runs, masks, letters: runs.new_empty(masks + 2 + -(-letters // 4)),
)
"""Runs of so many masks (``packed_runs``) to (masks + 2 + letters / 4,) int32, which is the letters
of all masks behind ``masks + 2`` numbers: where those of each begin, how many there are, and how
many runs. Where these are more than there was room for, the letters are not to be used."""

"""Coding and decoding of boxes by the kernels of ``box_coding.cu``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.ops.reference_boxes import reference_boxes
from benchsuite_kernels.ops.tensors import stored

THREADS = 256
MOST_BLOCKS = 4096
"""Further rows are taken by the same blocks."""


def launch_coding(kernel: str, values: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    """The output of a kernel, float32, of the shape of ``values``."""
    references, repeat = reference_boxes(boxes, values.shape)
    output = torch.empty(values.shape, dtype=torch.float32, device=values.device)
    rows = output.numel() // 4
    launch(
        "box_coding.cu",
        kernel,
        grid=(min(-(-rows // THREADS), MOST_BLOCKS), 1, 1),
        block=(THREADS, 1, 1),
        arguments=(
            *(stored(values), references, output, rows, len(references), repeat),
            *(int(not weights), *(weights or (1.0,) * 4)),
        ),
        scalar=values.dtype,
    )
    return output

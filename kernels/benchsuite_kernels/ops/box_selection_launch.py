"""Selection from a box branch by the kernels of ``box_selection.cu``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.ops.tensors import stored

SOURCE = "box_selection.cu"

# As in box_selection.cu.
THREADS = 256
WARP = 32

TAKE_THREADS = 512


def take_boxes(
    scores: Tensor,
    deltas: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    softmax: bool,
    weights: Sequence[float],
    threshold: float,
    min_size: float,
    outputs: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Fill the outputs of ``box_selection``, without a wait for the device."""
    images, room = outputs[1].shape
    if outputs[1].numel() == 0:
        return
    rows, classes = scores.shape[0], scores.shape[1] - 1
    box_classes = deltas.shape[1] // 4
    scalar, device = scores.dtype, scores.device
    scores, deltas = stored(scores), stored(deltas.to(scalar))
    boxes, sizes, image_index = stored(boxes), stored(sizes), stored(image_index)
    coding = tuple(map(float, weights))
    keys = torch.empty(rows * classes, dtype=torch.int64, device=device)
    count = torch.zeros(1, dtype=torch.int32, device=device)
    best = torch.empty((images, room), dtype=torch.int64, device=device)
    best_counts = torch.empty(images, dtype=torch.int32, device=device)

    def start(kernel: str, blocks: int, threads: int, *arguments: Tensor | float) -> None:
        launch(
            SOURCE,
            kernel,
            grid=(blocks, 1, 1),
            block=(threads, 1, 1),
            arguments=arguments,
            scalar=scalar,
        )

    start(
        "box_collect", -(-rows * WARP // THREADS), THREADS,
        scores, deltas, boxes, image_index, sizes, keys, count,
        rows, classes, box_classes, int(softmax), *coding, threshold, float(min_size),
    )  # fmt: skip
    start(
        "box_take", images, TAKE_THREADS,
        keys, count, image_index, best, best_counts, classes, room,
    )  # fmt: skip
    parts = -(-room // THREADS)
    start(
        "box_place", images * parts, THREADS,
        deltas, boxes, sizes, best, best_counts, *outputs,
        classes, box_classes, room, parts, *coding,
    )  # fmt: skip

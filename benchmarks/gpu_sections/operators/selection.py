"""Selection of candidates from a proposal network's, RetinaNet's and a box branch's outputs.

The peers do the same without the suppression, by torchvision's own functions where it has them.
"""

from __future__ import annotations

from typing import Any

import torch
from kernel_cases.inputs import boxes_of
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import clip_boxes_to_image

from benchsuite_kernels import ops
from benchsuite_kernels.ops.anchor_grid import AnchorGrid
from benchsuite_kernels.ops.head_maps import anchor_rows
from gpu_sections.operators.case import Case, Inputs, MismatchError, Size, close

UNIT, FAST = (1.0,) * 4, (10.0, 10.0, 5.0, 5.0)
CLASSES = 80
NEAR = 1e-5  # scores this close to their neighbour's may change places with it


def grid_of(maps: list[Tensor], cells: Tensor, finest: int) -> AnchorGrid:
    shapes = tuple((each.shape[2], each.shape[3]) for each in maps)
    strides = tuple((float(finest << level),) * 2 for level in range(len(maps)))
    return AnchorGrid(cells, (len(cells) // len(maps),) * len(maps), shapes, strides, 0.0)


def head(
    seed: int, dtype: torch.dtype, size: Size, images: int, finest: int, anchors: int, classes: int
) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
    """Logits and deltas of five levels, channels last; cells, and the images' sizes."""
    generator = torch.Generator().manual_seed(seed)
    high, wide = size.of(800, 96), size.of(1344, 160)
    logits, deltas = [], []
    for level in range(5):
        shape = (-(-high // (finest << level)), -(-wide // (finest << level)))
        drawn = torch.randn((images, anchors * classes, *shape), generator=generator)
        own = drawn * 2 - 4 if classes == 1 else drawn * 1.2 - 7
        logits.append(own.to(dtype).contiguous(memory_format=torch.channels_last))
        own = torch.randn((images, anchors * 4, *shape), generator=generator) * 0.3
        deltas.append(own.to(dtype).contiguous(memory_format=torch.channels_last))
    extent = torch.rand((anchors * 5, 2), generator=generator) * 100 + 8
    sizes = torch.tensor([[float(high), float(wide)]]).repeat(images, 1)
    return logits, deltas, torch.cat([-extent, extent], dim=1), sizes


def alike(actual: Any, expected: Any, inputs: Inputs, tolerance: float) -> float:
    """Scores in order; boxes and labels where no neighbour's score is nearly the same.

    Raises:
        MismatchError: they differ, or too few can be told.
    """
    ranks, wanted = actual[1].double().cpu(), expected[1].double().cpu()
    worst = close(ranks, wanted, inputs, tolerance)
    gap = (wanted[:, 1:] - wanted[:, :-1]).abs()
    # Equal scores stand in the order of their indices.
    apart = (gap == 0) | (gap > NEAR * wanted[:, 1:].abs().clamp(min=1)) | ~gap.isfinite()
    border = torch.ones_like(apart[:, :1])
    told = torch.cat([border, apart], dim=1) & torch.cat([apart, border], dim=1)
    told &= wanted.isfinite()
    if int(told.sum()) < 0.5 * int(wanted.isfinite().sum()):
        raise MismatchError(f"only {int(told.sum())} rows can be told apart")
    for mine, other in zip(actual, expected, strict=True):
        if mine.shape[:2] == told.shape:
            worst = max(worst, close(mine.cpu()[told], other.cpu()[told], inputs, tolerance))
    return worst


def rpn(images: int) -> Case:
    def draw(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
        return head(seed, dtype, size, images, 4, 3, 1)

    def ours(logits: list[Tensor], deltas: list[Tensor], cells: Tensor, sizes: Tensor) -> Any:
        grid = grid_of(logits, cells, 4)
        return ops.rpn_selection(
            logits, deltas, grid, sizes.float(), weights=UNIT, topk=1000, min_size=1e-3
        )

    def theirs(logits: list[Tensor], deltas: list[Tensor], cells: Tensor, sizes: Tensor) -> Any:
        grid = grid_of(logits, cells, 4).levels()
        counts = [len(level) for level in grid]
        height, width = logits[0].shape[2] * 4, logits[0].shape[3] * 4
        flat, values = concat_box_prediction_layers(list(logits), list(deltas))
        decoded = BoxCoder(UNIT).decode(values.float(), [torch.cat(grid)] * images)
        decoded = decoded.view(images, -1, 4)
        taken, offset = [], 0
        for level in flat.reshape(images, -1).split(counts, dim=1):
            taken.append(level.topk(min(1000, level.shape[1]), dim=1)[1] + offset)
            offset += level.shape[1]
        index = torch.cat(taken, dim=1)
        boxes = decoded.gather(1, index[..., None].expand(-1, -1, 4))
        return clip_boxes_to_image(boxes, (height, width)), flat.view(images, -1).gather(1, index)

    return Case(f"rpn_selection/{images}x5_levels", draw, ours, {"torchvision": theirs},
                compare=alike)  # fmt: skip


def dense(images: int) -> Case:
    def draw(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
        return head(seed, dtype, size, images, 8, 9, size.of(CLASSES, 5))

    def ours(logits: list[Tensor], deltas: list[Tensor], cells: Tensor, sizes: Tensor) -> Any:
        grid = grid_of(logits, cells, 8)
        return ops.dense_selection(
            logits, deltas, grid, sizes=sizes.float(), weights=UNIT, threshold=0.05, topk=1000
        )

    def theirs(logits: list[Tensor], deltas: list[Tensor], cells: Tensor, sizes: Tensor) -> Any:
        grid, found = grid_of(logits, cells, 8).levels(), []
        for level_logits, level_deltas, anchors in zip(logits, deltas, grid, strict=True):
            classes = level_logits.shape[1] // 9
            rows, values = anchor_rows(level_logits, classes), anchor_rows(level_deltas, 4)
            for own_logits, own_values in zip(rows, values, strict=True):
                scores = own_logits.float().sigmoid().flatten()
                above = torch.where(scores > 0.05)[0]
                best, order = scores[above].topk(min(1000, len(above)))
                anchor = above[order] // classes
                boxes = BoxCoder(UNIT).decode_single(own_values[anchor].float(), anchors[anchor])
                found.append((boxes, best, above[order] % classes))
        return found

    return Case(f"dense_selection/{images}x5_levels_x80", draw, ours, {"torchvision": theirs},
                compare=alike)  # fmt: skip


def regions(images: int) -> Case:
    def draw(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        rows, classes = images * size.of(1000, 60), size.of(CLASSES, 7)
        logits = torch.randn((rows, classes + 1), generator=generator) * 2
        logits[:, -1] += 6
        deltas = torch.randn((rows, classes * 4), generator=generator)
        boxes, image = boxes_of(rows, 60, 0.2, seed), torch.arange(rows) // (rows // images)
        sizes = torch.tensor([[800.0, 1333.0]]).repeat(images, 1)
        return logits.to(dtype), deltas.to(dtype), boxes, image, sizes

    def ours(logits: Tensor, deltas: Tensor, boxes: Tensor, image: Tensor, sizes: Tensor) -> Any:
        return ops.box_selection(
            logits, deltas, boxes.float(), image, sizes.float(),
            softmax=True, weights=FAST, threshold=0.05, limit=8192,
        )  # fmt: skip

    def theirs(logits: Tensor, deltas: Tensor, boxes: Tensor, image: Tensor, sizes: Tensor) -> Any:
        counts = [len(boxes) // images] * images
        decoded = BoxCoder(FAST).decode(deltas.float(), list(boxes.split(counts)))
        found = []
        for own, scores in zip(
            decoded.split(counts), logits.float().softmax(-1).split(counts), strict=True
        ):
            clipped = clip_boxes_to_image(own, (800, 1333)).reshape(-1, 4)
            flat = scores[:, :-1].reshape(-1)
            above = torch.where(flat > 0.05)[0]
            found.append((clipped[above], flat[above], above % (scores.shape[1] - 1)))
        return found

    return Case(f"box_selection/{images}x1000x80", draw, ours, {"torchvision": theirs},
                compare=alike)  # fmt: skip


CASES = [rpn(1), rpn(8), dense(1), dense(8), regions(1), regions(8)]

"""From the maps of RetinaNet's head to candidates: selection alone beside plain torch, and with the
suppression beside torchvision's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.retinanet import RetinaNet

from benchsuite_kernels import ops
from benchsuite_kernels.ops.anchor_grid import AnchorGrid
from benchsuite_kernels.ops.box_coding import clipped, coded_boxes
from benchsuite_kernels.ops.head_maps import anchor_rows
from kernel_cases.inputs import HEIGHT, WIDTH

UNIT = (1.0,) * 4


def pyramid(
    channels_last: bool,
    classes: int,
    anchors: int,
    height: int,
    width: int,
    *,
    levels: int,
    alone: bool,
    dtype: torch.dtype = torch.float32,
) -> Case:
    shapes = tuple((-(-height // (8 << n)), -(-width // (8 << n))) for n in range(levels))
    generator = torch.Generator().manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    logits, deltas = [], []
    for shape in shapes:
        own = torch.randn((1, anchors * classes, *shape), generator=generator) * 1.2 - 7
        logits.append(own.to(dtype).contiguous(memory_format=layout))
        own = torch.randn((1, anchors * 4, *shape), generator=generator) * 0.3
        deltas.append(own.to(dtype).contiguous(memory_format=layout))
    cells = torch.rand((anchors * levels, 2), generator=generator) * 100 + 8
    strides = tuple((8.0 * 2**n,) * 2 for n in range(levels))
    grid = AnchorGrid(torch.cat([-cells, cells], dim=1), (anchors,) * levels, shapes, strides, 0.0)
    size = torch.tensor([[float(height), float(width)]])
    rows = grid.levels()
    peer: Any = SimpleNamespace(
        score_thresh=0.05, topk_candidates=1000, box_coder=BoxCoder(UNIT), nms_thresh=0.5,
        detections_per_img=300,
    )  # fmt: skip

    def select() -> tuple[Tensor, Tensor, Tensor]:
        return ops.dense_selection(
            logits, deltas, grid, sizes=size, weights=UNIT, threshold=0.05, topk=1000
        )

    def detect() -> Tensor:
        boxes, scores, labels = select()
        index, counts = ops.nms_per_image(boxes, scores, labels, 0.5, 300)
        return boxes[0, index[0, : int(counts[0])]]

    def theirs() -> Tensor:
        outputs = {
            "cls_logits": [anchor_rows(level, classes) for level in logits],
            "bbox_regression": [anchor_rows(level, 4) for level in deltas],
        }
        found = RetinaNet.postprocess_detections(peer, outputs, [rows], [(height, width)])
        boxes: Tensor = found[0]["boxes"]
        return boxes

    def plain() -> list[tuple[Tensor, Tensor, Tensor]]:
        found = []
        for level_logits, level_deltas, anchors in zip(logits, deltas, rows, strict=True):
            scores = anchor_rows(level_logits, classes).float().sigmoid()
            image, anchor, label = (scores > 0.05).nonzero(as_tuple=True)
            best = scores[image, anchor, label]
            order = best.argsort(descending=True, stable=True)[:1000]
            values = anchor_rows(level_deltas, 4)[image[order], anchor[order]].float()
            boxes = coded_boxes(values, anchors[anchor[order]], UNIT)
            found.append((clipped(boxes[None], size)[0], best[order], label[order]))
        return found

    def near(ours: Tensor, theirs: Tensor) -> None:
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-3)

    def all_near(
        ours: tuple[Tensor, Tensor, Tensor], theirs: list[tuple[Tensor, Tensor, Tensor]]
    ) -> None:
        present = ours[1][0] > 0
        for one, other in zip(ours, zip(*theirs, strict=True), strict=True):
            near(one[0, present], torch.cat(other))

    if alone:
        return Case("torch", select, plain, all_near)
    return Case("torchvision", detect, theirs, near)


def full(channels_last: bool, alone: bool, dtype: torch.dtype = torch.float32) -> Case:
    width = -(-WIDTH // 32) * 32
    return pyramid(
        channels_last, 80, 9, HEIGHT, width, levels=5, alone=alone, dtype=dtype
    )  # fmt: skip


CASES = {
    "dense_selection/5_levels_x80": lambda: full(channels_last=True, alone=True),
    "dense_selection/5_levels_x80_planar": lambda: full(channels_last=False, alone=True),
    "dense_selection/5_levels_x80_bf16": lambda: full(True, True, torch.bfloat16),
    "dense_selection/5_levels_x80_and_nms": lambda: full(channels_last=True, alone=False),
    "dense_selection/5_levels_x80_and_nms_planar": lambda: full(channels_last=False, alone=False),
    "dispatch/dense_selection": lambda: pyramid(False, 1, 1, 8, 8, levels=1, alone=True),
}

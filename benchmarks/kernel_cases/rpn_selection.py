"""From the maps of a region proposal network to proposals: selection alone beside plain torch, and
with the suppression beside torchvision's network, whose head is given the same maps."""

from __future__ import annotations

from typing import Any

import torch
from measuring.sides import Case
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork

from benchsuite_kernels import ops
from benchsuite_kernels.ops.anchor_grid import AnchorGrid
from benchsuite_kernels.ops.box_coding import clipped, coded_boxes
from benchsuite_kernels.ops.head_maps import anchor_rows
from kernel_cases.inputs import HEIGHT, WIDTH

SIZES, RATIOS = (32, 64, 128, 256, 512), (0.5, 1.0, 2.0)

Maps = tuple[list[Tensor], list[Tensor]]


class Given(nn.Module):
    """A head that has its outputs already."""

    def __init__(self, maps: Maps) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, features: list[Tensor]) -> Maps:
        return self.maps


def head(
    shapes: list[tuple[int, int]], anchors: int, channels_last: bool
) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    logits, deltas = [], []
    for shape in shapes:
        maps = torch.randn((1, anchors * 5, *shape), generator=generator)
        logits.append((maps[:, :anchors] * 2 - 4).contiguous(memory_format=layout))
        deltas.append((maps[:, anchors:] * 0.3).contiguous(memory_format=layout))
    return logits, deltas


def theirs_of(maps: Maps, sizes: tuple[int, ...], topk: int) -> tuple[Any, list[tuple[int, int]]]:
    """Their network, and the images' padded size."""
    generator = AnchorGenerator(tuple((size,) for size in sizes), (RATIOS,) * len(sizes))
    limits = {"training": topk, "testing": topk}
    network = RegionProposalNetwork(
        generator, Given(maps), 0.7, 0.3, 256, 0.5, limits, {"training": 1000, "testing": 1000}, 0.7
    )
    return network.eval(), generator


def pyramid(channels_last: bool, height: int, width: int, topk: int, alone: bool) -> Case:
    levels = range(5) if height > 64 else range(1)
    shapes = [(-(-height // (4 << level)), -(-width // (4 << level))) for level in levels]
    maps = head(shapes, 3, channels_last)
    network, generator = theirs_of(maps, SIZES[: len(shapes)], topk)
    images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    features = dict(enumerate(maps[0]))
    strides = [(float(height // h), float(width // w)) for h, w in shapes]
    cells = torch.cat([each.round() for each in generator.cell_anchors])
    grid = AnchorGrid(cells, (3,) * len(shapes), tuple(shapes), tuple(strides), 0.0)
    size = torch.tensor([[float(height), float(width)]])
    rest = {"weights": (1.0,) * 4, "topk": topk, "min_size": 1e-3}

    def select() -> tuple[Tensor, Tensor, Tensor]:
        return ops.rpn_selection(*maps, grid, size, **rest)

    def propose() -> Tensor:
        boxes, scores, of_level = select()
        index, counts = ops.nms_per_image(boxes, scores, of_level, 0.7, 1000)
        return boxes[0, index[0, : int(counts[0])]]

    def plain() -> tuple[Tensor, Tensor, Tensor]:
        boxes, ranks, of_level = [], [], []
        for level, (logits, deltas, anchors) in enumerate(zip(*maps, grid.levels(), strict=True)):
            flat = anchor_rows(logits, 1).squeeze(-1)
            top, index = flat.topk(min(topk, flat.shape[1]), dim=1)
            values = anchor_rows(deltas, 4).gather(1, index[..., None].expand(-1, -1, 4))
            boxes.append(coded_boxes(values, anchors[index], (1.0,) * 4))
            ranks.append(top)
            of_level.append(torch.full_like(index[0], level))
        own = clipped(torch.cat(boxes, dim=1), size)
        valid = own.isfinite().all(dim=-1) & (own[..., 2:] - own[..., :2] > 1e-3).all(dim=-1)
        return (
            own.where(valid[..., None], 0),
            torch.cat(ranks, dim=1).where(valid, -torch.inf),
            torch.cat(of_level),
        )

    def near(ours: Any, theirs: Any) -> None:
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-3)

    if alone:
        return Case("torch", select, plain, near)
    return Case("torchvision", propose, lambda: network(images, features)[0][0], near)


def full(channels_last: bool, alone: bool) -> Case:
    return pyramid(channels_last, HEIGHT, -(-WIDTH // 32) * 32, 1000, alone)


CASES = {
    "rpn_selection/5_levels": lambda: full(channels_last=True, alone=True),
    "rpn_selection/5_levels_planar": lambda: full(channels_last=False, alone=True),
    "rpn_selection/5_levels_and_nms": lambda: full(channels_last=True, alone=False),
    "rpn_selection/5_levels_and_nms_planar": lambda: full(channels_last=False, alone=False),
    "dispatch/rpn_selection": lambda: pyramid(False, 4, 4, 1, alone=True),
}

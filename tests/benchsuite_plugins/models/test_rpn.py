from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torchvision.ops import batched_nms

from benchsuite.errors import UsageError
from benchsuite_kernels.ops import AnchorGrid
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.options import AnchorOptions, RPNOptions
from benchsuite_plugins.models.presence import drop_absent
from benchsuite_plugins.models.rpn import RegionProposalNetwork, RPNHead, select_proposals

CODER = BoxCoder((1, 1, 1, 1))

TEN = {"pre_nms_topk": 10, "post_nms_topk": 10}


def random_head(
    shapes: tuple[tuple[int, int], ...], images: int
) -> tuple[list[Tensor], list[Tensor], AnchorGrid]:
    """Two anchors a cell; maps of logits and deltas."""
    generator = torch.Generator().manual_seed(0)
    extent = torch.rand((2 * len(shapes), 2), generator=generator) * 20
    strides = tuple((8.0 * 2**level,) * 2 for level in range(len(shapes)))
    cells = torch.cat([-extent, extent], dim=1)
    grid = AnchorGrid(cells, (2,) * len(shapes), shapes, strides, 0.0)
    logits = [torch.randn((images, 2, *shape), generator=generator) for shape in shapes]
    deltas = [torch.randn((images, 8, *shape), generator=generator) * 0.3 for shape in shapes]
    return logits, deltas, grid


def test_selection_equals_the_plain_procedure_an_image_at_a_time() -> None:
    options, limits = RPNOptions(min_size=2.0), {"pre_nms_topk": 60, "post_nms_topk": 40}
    sizes = torch.tensor([[70.0, 50.0], [40.0, 90.0], [64.0, 64.0]])
    logits, deltas, grid = random_head(((10, 10), (5, 8), (2, 2)), 3)
    found = drop_absent(select_proposals(logits, deltas, grid, sizes, CODER, options, **limits))
    assert found.image_index.tolist() == sorted(found.image_index.tolist())
    for image, (height, width) in enumerate(sizes.tolist()):
        boxes, scores, groups = [], [], []
        for level, anchors in enumerate(grid.levels()):
            flat = logits[level][image].permute(1, 2, 0).flatten()
            values = deltas[level][image].unflatten(0, (2, 4)).permute(2, 3, 0, 1).reshape(-1, 4)
            top, index = flat.sort(descending=True)
            top, index = top[:60], index[:60]
            decoded = CODER.decode(values[index], anchors[index])
            decoded[:, 0::2] = decoded[:, 0::2].clamp(0, width)
            decoded[:, 1::2] = decoded[:, 1::2].clamp(0, height)
            extent = decoded[:, 2:] - decoded[:, :2]
            large = (extent[:, 0] > 2) & (extent[:, 1] > 2)
            boxes.append(decoded[large])
            scores.append(top[large])
            groups.append(torch.full((int(large.sum()),), level))
        kept = batched_nms(torch.cat(boxes), torch.cat(scores), torch.cat(groups), 0.7)[:40]
        own = found.image_index == image
        torch.testing.assert_close(found.boxes[own], torch.cat(boxes)[kept])
        torch.testing.assert_close(found.logits[own], torch.cat(scores)[kept])
    assert (found.image_index.bincount() == 40).any()


def test_what_is_not_finite_or_empty_is_dropped() -> None:
    cells = torch.tensor([[0.0, 0, 8, 8], [8.0, 8, 16, 16], [50.0, 0, 60, 9], [0.0, 8, 8, 16]])
    grid = AnchorGrid(cells, (4,), ((1, 1),), ((8.0, 8.0),), 0.0)
    logits = torch.tensor([[math.nan, 1.0, 2.0, math.inf], [1.0, 2.0, 3.0, -1.0]])
    deltas = torch.zeros(2, 4, 4)
    deltas[1, 1, 2] = math.nan
    deltas[1, 0, 0] = math.inf
    found = select_proposals(
        *([logits.view(2, 4, 1, 1)], [deltas.view(2, 16, 1, 1)], grid),
        torch.tensor([[32.0, 32.0], [32.0, 32.0]]),
        CODER,
        RPNOptions(),
        **TEN,
    )
    assert len(found.boxes) == 8 and found.image_index.tolist() == [0] * 4 + [1] * 4
    found = drop_absent(found)
    # The third anchor lies outside both images.
    assert found.image_index.tolist() == [0, 1]
    assert found.boxes.tolist() == [[8, 8, 16, 16], [0, 8, 8, 16]]


def test_no_proposal_is_an_ordinary_outcome() -> None:
    logits, deltas, grid = random_head(((3, 1),), 1)
    sizes = torch.tensor([[5.0, 5.0]])
    logits[0][:] = math.nan
    found = select_proposals(logits, deltas, grid, sizes, CODER, RPNOptions(), **TEN)
    found = drop_absent(found)
    assert found.boxes.shape == (0, 4) and found.logits.shape == found.image_index.shape == (0,)


def test_head_of_several_convolutions_names_them() -> None:
    head = RPNHead(8, 3, (-1, 6))
    shapes = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    assert shapes["conv.conv0.weight"] == (8, 8, 3, 3)
    assert shapes["conv.conv1.weight"] == (6, 8, 3, 3)
    assert shapes["anchor_deltas.weight"] == (12, 6, 1, 1)
    logits, deltas = head([torch.zeros(2, 8, 4, 5), torch.zeros(2, 8, 2, 3)])
    assert [tuple(level.shape) for level in logits] == [(2, 3, 4, 5), (2, 3, 2, 3)]
    assert [tuple(level.shape) for level in deltas] == [(2, 12, 4, 5), (2, 12, 2, 3)]


def test_options_that_do_not_fit_are_refused() -> None:
    channels, strides = {"p2": 8, "p3": 8}, {"p2": 4, "p3": 8}
    options = RPNOptions(in_features=("p2", "p3"))
    with pytest.raises(UsageError, match=r"p9.*rpn\.in_features|rpn\.in_features.*p9"):
        RegionProposalNetwork(
            replace(options, in_features=("p9",)), AnchorOptions(), channels, strides
        )
    with pytest.raises(UsageError, match="same number"):
        RegionProposalNetwork(
            options, AnchorOptions(sizes=((32.0,), (32.0, 64.0))), channels, strides
        )

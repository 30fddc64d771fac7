from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torchvision.ops import batched_nms

from benchsuite.errors import UsageError
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.flatten_anchors import flatten_anchors
from benchsuite_plugins.models.options import AnchorOptions, RPNOptions
from benchsuite_plugins.models.rpn import RegionProposalNetwork, RPNHead, select_proposals

CODER = BoxCoder((1, 1, 1, 1))

TEN = {"pre_nms_topk": 10, "post_nms_topk": 10}


def test_head_outputs_are_flattened_in_the_order_of_the_anchors() -> None:
    images, anchors, values, height, width = 2, 3, 4, 2, 5
    output = torch.arange(images * anchors * values * height * width)
    output = output.view(images, anchors * values, height, width)
    flat = flatten_anchors(output, values)
    assert flat.shape == (images, height * width * anchors, values)
    for n, y, x, a, v in [(0, 0, 0, 0, 0), (1, 1, 3, 2, 1), (0, 1, 4, 1, 3)]:
        assert flat[n, (y * width + x) * anchors + a, v] == output[n, a * values + v, y, x]


def random_level(count: int, images: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((count, 2), generator=generator) * 80 - 10
    anchors = torch.cat([corner, corner + torch.rand((count, 2), generator=generator) * 40], dim=1)
    logits = torch.randn((images, count), generator=generator)
    deltas = torch.randn((images, count, 4), generator=generator) * 0.3
    return logits, deltas, anchors


def test_selection_equals_the_plain_procedure_an_image_at_a_time() -> None:
    options, limits = RPNOptions(min_size=2.0), {"pre_nms_topk": 60, "post_nms_topk": 40}
    sizes = torch.tensor([[70.0, 50.0], [40.0, 90.0], [64.0, 64.0]])
    levels = [random_level(count, 3, seed) for seed, count in enumerate((200, 80, 9))]
    logits, deltas, anchors = zip(*levels, strict=True)
    found = select_proposals(logits, deltas, anchors, sizes, CODER, options, **limits)
    assert found.image_index.tolist() == sorted(found.image_index.tolist())
    for image, (height, width) in enumerate(sizes.tolist()):
        boxes, scores, groups = [], [], []
        for level, (level_logits, level_deltas, level_anchors) in enumerate(levels):
            top, index = level_logits[image].sort(descending=True)
            top, index = top[:60], index[:60]
            decoded = CODER.decode(level_deltas[image, index], level_anchors[index])
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
    anchors = torch.tensor([[0.0, 0, 8, 8], [8.0, 8, 16, 16], [50.0, 0, 60, 9], [0.0, 8, 8, 16]])
    logits = torch.tensor([[math.nan, 1.0, 2.0, math.inf], [1.0, 2.0, 3.0, -1.0]])
    deltas = torch.zeros(2, 4, 4)
    deltas[1, 1, 2] = math.nan
    deltas[1, 0, 0] = math.inf
    sizes = torch.tensor([[32.0, 32.0], [32.0, 32.0]])
    found = select_proposals([logits], [deltas], [anchors], sizes, CODER, RPNOptions(), **TEN)
    # The third anchor lies outside both images.
    assert found.image_index.tolist() == [0, 1]
    assert found.boxes.tolist() == [[8, 8, 16, 16], [0, 8, 8, 16]]


def test_no_proposal_is_an_ordinary_outcome() -> None:
    logits, deltas = torch.full((1, 3), math.nan), torch.zeros(1, 3, 4)
    found = select_proposals(
        *([logits], [deltas], [torch.ones(3, 4)]),
        torch.tensor([[5.0, 5.0]]),
        CODER,
        RPNOptions(),
        **TEN,
    )
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

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.box_head import BoxHead, BoxPredictor, select_detections
from benchsuite_plugins.models.instances import Proposals
from benchsuite_plugins.models.mask_head import MaskHead, mask_probabilities
from benchsuite_plugins.models.options import BoxHeadOptions, MaskHeadOptions, ROIHeadsOptions
from benchsuite_plugins.models.presence import drop_absent
from benchsuite_plugins.models.roi_pooler import assign_levels


def square(side: float) -> list[float]:
    return [5.0, 7.0, 5.0 + side, 7.0 + side]


def test_regions_are_read_from_the_level_of_their_size() -> None:
    # p4 from 224 on, one level finer for half the side; p2 and p5 are the ends.
    sides = [0.0, 10.0, 111.9, 112.0, 223.9, 224.0, 447.9, 448.0, 5000.0]
    boxes = torch.tensor([square(side) for side in sides])
    assert assign_levels(boxes, finest_level=2, level_count=4).tolist() == [
        0, 0, 0, 1, 1, 2, 2, 3, 3,
    ]  # fmt: skip


def test_one_level_serves_all() -> None:
    boxes = torch.tensor([square(10.0), square(900.0)])
    assert assign_levels(boxes, finest_level=4, level_count=1).tolist() == [0, 0]


def regions_at(boxes: Tensor, image_index: Tensor) -> Proposals:
    return Proposals(boxes, torch.zeros(len(boxes)), image_index)


UNIT = (1.0, 1.0, 1.0, 1.0)


def test_detections_equal_the_plain_procedure_an_image_at_a_time() -> None:
    generator = torch.Generator().manual_seed(0)
    count, classes = 300, 4
    corner = torch.rand((count, 2), generator=generator) * 50
    extent = torch.rand((count, 2), generator=generator) * 40 + 1
    regions = torch.cat([corner, corner + extent], dim=1)
    deltas = torch.randn((count, classes * 4), generator=generator) * 0.3
    logits = torch.randn((count, classes + 1), generator=generator) * 2
    image_index = torch.randint(0, 3, (count,), generator=generator).sort().values
    sizes = torch.tensor([[60.0, 60.0], [50.0, 70.0], [80.0, 40.0]])
    options = ROIHeadsOptions(detections_per_image=25)
    given = regions_at(regions, image_index)
    given.logits[::7] = -math.inf
    found = drop_absent(
        select_detections(logits, deltas, given, sizes, options, weights=UNIT, softmax=True)
    )
    scores = logits.softmax(dim=1)
    boxes = BoxCoder(UNIT).decode(deltas.unflatten(1, (-1, 4)), regions[:, None])
    for image, (height, width) in enumerate(sizes.tolist()):
        mine = (image_index == image) & (given.logits == 0)
        own_scores, own_boxes = scores[mine][:, :-1], boxes[mine].clone()
        own_boxes[..., 0::2] = own_boxes[..., 0::2].clamp(0, width)
        own_boxes[..., 1::2] = own_boxes[..., 1::2].clamp(0, height)
        region, label = (own_scores > 0.05).nonzero(as_tuple=True)
        kept = batched_nms(own_boxes[region, label], own_scores[region, label], label, 0.5)[:25]
        own = found.image_index == image
        torch.testing.assert_close(found.boxes[own], own_boxes[region, label][kept])
        assert found.labels[own].tolist() == label[kept].tolist()
        torch.testing.assert_close(found.scores[own], own_scores[region, label][kept])


def test_one_box_for_all_classes() -> None:
    found = select_detections(
        torch.tensor([[0.5, 0.4, 0.1]]),
        torch.zeros(1, 4),
        regions_at(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([0])),
        torch.tensor([[9.0, 9.0]]),
        ROIHeadsOptions(),
        weights=UNIT,
        softmax=False,
    )
    assert found.labels.tolist() == [0, 1]
    assert found.boxes.tolist() == [[1, 2, 3, 4]] * 2


def test_threshold_is_strict_and_rows_that_are_not_finite_go_whole() -> None:
    # Four regions apart from each other, so that none goes for overlapping another.
    regions = torch.tensor([[0.0, 0, 4, 4]]) + 10 * torch.arange(4)[:, None]
    deltas = torch.zeros(4, 8)
    deltas[1, 5] = math.inf
    scores = torch.tensor([[0.5, 0.25, 0.25]] * 4)
    scores[2, 2] = math.nan
    found = select_detections(
        scores,
        deltas,
        regions_at(regions, torch.tensor([0, 0, 0, 1])),
        torch.tensor([[50.0, 50.0], [50.0, 50.0]]),
        ROIHeadsOptions(score_thresh_test=0.25),
        weights=UNIT,
        softmax=False,
    )
    found = drop_absent(found)
    assert found.image_index.tolist() == [0, 1]
    assert found.labels.tolist() == [0, 0]
    assert found.boxes.tolist() == [[0, 0, 4, 4], [30, 30, 34, 34]]


def test_heads_take_no_region_at_all() -> None:
    head = BoxHead(8, BoxHeadOptions(num_conv=1, conv_dim=8, num_fc=1, fc_dim=16))
    logits, deltas = BoxPredictor(head.out_channels, 3, class_agnostic=False)(
        head(torch.zeros(0, 8, 7, 7))
    )
    assert logits.shape == (0, 4) and deltas.shape == (0, 12)
    masks = MaskHead(8, 3, MaskHeadOptions(conv_dim=8))(torch.zeros(0, 8, 14, 14))
    assert masks.shape == (0, 3, 28, 28)
    assert mask_probabilities(masks, torch.zeros(0, dtype=torch.int64)).shape == (0, 28, 28)


def test_first_fully_connected_layer_takes_channels_outside() -> None:
    head = BoxHead(2, BoxHeadOptions(num_fc=1, fc_dim=1, pooler_resolution=2))
    with torch.no_grad():
        head.fc1.weight.copy_(torch.arange(8.0)[None])
    x = torch.zeros(1, 2, 2, 2)
    x[0, 1, 0, 1] = 1
    assert head(x).item() == 5


def test_masks_are_those_of_the_predicted_class() -> None:
    logits = torch.randn((3, 4, 2, 2), generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([2, 0, 3])
    masks = mask_probabilities(logits, labels)
    for row, label in enumerate(labels.tolist()):
        torch.testing.assert_close(masks[row], 1 / (1 + (-logits[row, label]).exp()))
    torch.testing.assert_close(mask_probabilities(logits[:, :1], labels), logits[:, 0].sigmoid())

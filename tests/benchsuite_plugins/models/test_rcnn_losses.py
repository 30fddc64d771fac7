"""What proposals are labelled as, and the losses of both stages, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchsuite.errors import ContractError
from benchsuite.targets import Target
from benchsuite_plugins.losses.iou_losses import giou_loss
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.fast_rcnn_losses import FastRCNNLosses
from benchsuite_plugins.models.instances import Proposals
from benchsuite_plugins.models.proposal_labels import LabelledProposals, label_proposals
from benchsuite_plugins.models.rpn_losses import RPNLosses
from benchsuite_plugins.models.target_batch import TargetBatch, collate_targets
from benchsuite_plugins.models.training_options import (
    BoxHeadTrainingOptions,
    BoxLossOptions,
    ClassLossOptions,
    ROIHeadsTrainingOptions,
    RPNTrainingOptions,
)

CODER = BoxCoder((1, 1, 1, 1))
ANCHORS = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30], [40, 0, 50, 10]])
FIRST, SECOND = [0, 0, 10, 8], [20, 20, 30, 30]


def batch(*targets: Target) -> TargetBatch:
    return collate_targets(targets, torch.zeros(len(targets), 3, 64, 64))


def rpn_outputs(images: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((images, len(ANCHORS)), generator=generator)
    return logits, torch.randn((images, len(ANCHORS), 4), generator=generator)


def test_rpn_divides_both_sums_by_the_size_of_the_draw() -> None:
    # Overlaps with FIRST: 0.8, 0.625 (ignored), 0, 0.
    logits, deltas = rpn_outputs(2)
    losses = RPNLosses(RPNTrainingOptions(batch_size_per_image=64), CODER)(
        logits, deltas, ANCHORS, batch(Target([FIRST], [3]), Target())
    )
    wanted = torch.tensor([1.0, 0, 0, 0, 0, 0, 0])
    counted = torch.cat([logits[0, [0, 2, 3]], logits[1]])
    objectness = F.binary_cross_entropy_with_logits(counted, wanted, reduction="sum")
    torch.testing.assert_close(losses["loss_rpn_cls"], objectness / 128)
    target = CODER.encode(torch.tensor([FIRST]), ANCHORS[:1])
    torch.testing.assert_close(losses["loss_rpn_loc"], (deltas[0, :1] - target).abs().sum() / 128)


def test_weights_of_the_rpn() -> None:
    logits, deltas = rpn_outputs(1)
    truth = batch(Target([FIRST], [3]))
    plain = RPNTrainingOptions()
    weighted = replace(plain, loss_weight=3.0, bbox_reg_loss=BoxLossOptions(weight=2.0))
    first, second = (RPNLosses(o, CODER)(logits, deltas, ANCHORS, truth) for o in (plain, weighted))
    torch.testing.assert_close(second["loss_rpn_cls"], 3 * first["loss_rpn_cls"])
    torch.testing.assert_close(second["loss_rpn_loc"], 6 * first["loss_rpn_loc"])


def test_a_loss_of_boxes_compares_decoded_boxes() -> None:
    logits, deltas = rpn_outputs(1)
    options = RPNTrainingOptions(bbox_reg_loss=BoxLossOptions("giou"), batch_size_per_image=10)
    losses = RPNLosses(options, CODER)(logits, deltas, ANCHORS, batch(Target([FIRST], [0])))
    decoded = CODER.decode(deltas[0, :1], ANCHORS[:1])
    expected = giou_loss(decoded, torch.tensor([FIRST]).float()).sum() / 10
    torch.testing.assert_close(losses["loss_rpn_loc"], expected)


def test_without_objects_the_rpn_learns_background_alone() -> None:
    logits, deltas = rpn_outputs(1)
    logits.requires_grad_()
    deltas.requires_grad_()
    losses = RPNLosses(RPNTrainingOptions(), CODER)(logits, deltas, ANCHORS, batch(Target()))
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert losses["loss_rpn_loc"].item() == 0
    assert (logits.grad > 0).all()  # type: ignore[operator]
    assert not deltas.grad.any()  # type: ignore[union-attr]


def proposals(*rows: tuple[int, list[float]]) -> Proposals:
    index = torch.tensor([image for image, _ in rows], dtype=torch.int64)
    boxes = torch.tensor([box for _, box in rows]).reshape(-1, 4)
    return Proposals(boxes, torch.zeros(len(rows)), index)


def by_box(regions: LabelledProposals) -> dict[tuple[int, ...], int]:
    keys = torch.cat([regions.image_index[:, None], regions.boxes.long()], dim=1).tolist()
    return dict(zip(map(tuple, keys), regions.labels.tolist(), strict=True))


def test_proposals_are_labelled_by_the_objects_of_their_own_image() -> None:
    truth = batch(Target([FIRST], [3]), Target([SECOND], [1]), Target())
    given = proposals(
        (0, [0.0, 0, 10, 10]),
        (0, [20.0, 20, 30, 30]),
        (1, [0.0, 0, 10, 10]),
        (1, [20.0, 20, 30, 25]),
        (2, [20.0, 20, 30, 30]),
    )
    regions = label_proposals(given, truth, ROIHeadsTrainingOptions(positive_fraction=1.0), 5)
    assert by_box(regions) == {
        (0, 0, 0, 10, 10): 3,
        (0, 20, 20, 30, 30): 5,
        (1, 0, 0, 10, 10): 5,
        (1, 20, 20, 30, 25): 1,  # an overlap of exactly one half is enough
        (2, 20, 20, 30, 30): 5,
        (0, 0, 0, 10, 8): 3,  # the ground truth itself
        (1, 20, 20, 30, 30): 1,
    }
    objects = regions.objects()
    assert sorted(objects.labels.tolist()) == [1, 1, 3, 3]
    assert torch.equal(truth.labels[objects.matched], objects.labels)
    assert torch.equal(truth.image_index[objects.matched], objects.image_index)
    without = ROIHeadsTrainingOptions(proposal_append_gt=False)
    assert len(label_proposals(given, truth, without, 5).boxes) == 5


def test_how_many_proposals_are_drawn() -> None:
    truth = batch(Target([FIRST], [0]), Target([SECOND], [0]))
    rows = [(image, box) for image in (0, 1) for box in [[0.0, 0, 10, 8], [20.0, 20, 30, 30]] * 30]
    options = ROIHeadsTrainingOptions(batch_size_per_image=16)
    regions = label_proposals(proposals(*rows), truth, options, 1)
    assert regions.image_index.bincount().tolist() == [16, 16]
    assert regions.objects().image_index.bincount().tolist() == [4, 4]


def test_no_proposal_and_no_object() -> None:
    regions = label_proposals(proposals(), batch(Target()), ROIHeadsTrainingOptions(), 5)
    assert regions.boxes.shape == (0, 4)
    losses = FastRCNNLosses(BoxHeadTrainingOptions(), CODER)(
        torch.zeros(0, 6), torch.zeros(0, 20), regions, batch(Target())
    )
    assert {name: loss.item() for name, loss in losses.items()} == {
        "loss_cls": 0,
        "loss_box_reg": 0,
    }


@pytest.mark.parametrize("agnostic", [False, True])
def test_box_head_divides_both_sums_by_all_regions(agnostic: bool) -> None:
    truth = batch(Target([FIRST, SECOND], [2, 0]))
    regions = LabelledProposals(
        ANCHORS, torch.zeros(4, dtype=torch.int64), torch.tensor([2, 3, 0, 3]),
        torch.tensor([0, 0, 1, 0]), 3,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn((4, 4), generator=generator)
    deltas = torch.randn((4, 4 if agnostic else 12), generator=generator)
    options = BoxHeadTrainingOptions(ClassLossOptions(weight=2.0), BoxLossOptions(weight=3.0))
    losses = FastRCNNLosses(options, CODER)(logits, deltas, regions, truth)
    expected = 2 * F.cross_entropy(logits, regions.labels)
    torch.testing.assert_close(losses["loss_cls"], expected)
    own = torch.stack([deltas[0, -4:], deltas[2, :4]])
    target = CODER.encode(truth.boxes, ANCHORS[[0, 2]])
    torch.testing.assert_close(losses["loss_box_reg"], 3 * (own - target).abs().sum() / 4)


def test_labels_outside_the_categories_are_told() -> None:
    with pytest.raises(ContractError, match="label 5; the model has 5 categories"):
        batch(Target([FIRST], [5])).check_labels(5)
    with pytest.raises(ContractError, match="label -1"):
        batch(Target([FIRST], [-1])).check_labels(5)

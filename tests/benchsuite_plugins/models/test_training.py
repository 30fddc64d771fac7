"""Whole models learn: batches of odd images, what is frozen, mixed precision, a stranger's loss."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from benchsuite.errors import ContractError, UsageError
from benchsuite.plugins import registry
from benchsuite.protocols import (
    ModelRequest,
    RecomputingModel,
    StepwiseModel,
    TrainableModel,
)
from benchsuite.records import Image
from benchsuite.specs import LossSpec
from benchsuite.targets import Target
from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions, create
from benchsuite_plugins.models.options import FPNOptions, ResNetOptions
from benchsuite_plugins.models.retinanet import RetinaNetOptions
from benchsuite_plugins.models.retinanet import create as create_retinanet
from benchsuite_plugins.models.training_options import (
    BoxHeadTrainingOptions,
    BoxLossOptions,
    ROIHeadsTrainingOptions,
    RPNTrainingOptions,
)

MakeImage = Callable[[int, int], Image]

RES3_TO_5 = ("res3", "res4", "res5")

TERMS = {"loss_rpn_cls", "loss_rpn_loc", "loss_cls", "loss_box_reg", "loss_mask"}


def two_squares() -> Target:
    boxes = [[4, 6, 40, 44], [50, 10, 90, 30]]
    outlines = [[[x1, y1, x2, y1, x2, y2, x1, y2]] for x1, y1, x2, y2 in boxes]
    return Target(boxes, [1, 3], masks=outlines)


def step(model: Any, images: list[Image], targets: list[Target]) -> dict[str, float]:
    """Losses; gradients stay with the parameters."""
    model.zero_grad()
    torch.manual_seed(0)
    losses = model.train().losses(images, targets)
    sum(losses.values()).backward()
    return {name: loss.item() for name, loss in losses.items()}


def test_everything_that_is_not_frozen_learns(
    narrow_request: ModelRequest, make_image: MakeImage
) -> None:
    model = create(narrow_request)
    assert isinstance(model, TrainableModel)
    losses = step(model, [make_image(64, 96)], [two_squares()])
    assert set(losses) == TERMS
    assert all(0 < loss < 10 for loss in losses.values())
    for name, parameter in model.named_parameters():
        frozen = name.startswith(("backbone.bottom_up.stem.", "backbone.bottom_up.res2."))
        assert parameter.requires_grad != frozen, name
        assert (parameter.grad is None) == frozen, name
        assert frozen or parameter.grad.isfinite().all(), name


def test_a_step_down_the_gradient_lessens_the_loss(
    narrow_request: ModelRequest, make_image: MakeImage
) -> None:
    model = create(narrow_request)
    groups = [
        {"params": group.parameters, "weight_decay": 0.0 if group.of_norms else 1e-4}
        for group in model.parameter_groups()
    ]
    optimizer = torch.optim.SGD(groups, lr=1e-3)
    batch = [make_image(64, 96)], [two_squares()]
    before = sum(step(model, *batch).values())
    for _ in range(5):
        # Random weights without statistics make large features, and those large gradients.
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        after = sum(step(model, *batch).values())
    assert after < before


@pytest.mark.parametrize("sizes", [[(64, 96), (33, 47)], [(1, 1)], [(7, 160), (96, 3), (64, 64)]])
def test_images_of_any_size_with_and_without_objects(
    lively_model: Any, make_image: MakeImage, sizes: list[tuple[int, int]]
) -> None:
    images = [make_image(height, width) for height, width in sizes]
    targets = [two_squares() if size == (64, 96) else Target() for size in sizes]
    losses = step(lively_model, images, targets)
    assert set(losses) == TERMS
    assert all(np.isfinite(loss) for loss in losses.values())
    grads = [p.grad for p in lively_model.parameters() if p.requires_grad]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)
    if all(len(target) == 0 for target in targets):
        assert losses["loss_mask"] == losses["loss_box_reg"] == losses["loss_rpn_loc"] == 0
    lively_model.eval()


def test_images_are_seen_at_the_size_they_have(
    narrow_request: ModelRequest, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = create(narrow_request)
    seen: list[torch.Size] = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    model.losses([make_image(50, 70), make_image(64, 20)], [Target(), Target()])
    assert seen == [(2, 3, 64, 96)]


def test_bitmaps_teach_the_same_as_outlines(
    narrow_request: ModelRequest, make_image: MakeImage
) -> None:
    model = create(narrow_request)
    outlined = two_squares()
    bitmaps = np.zeros((2, 64, 96), bool)
    bitmaps[0, 6:44, 4:40] = True
    bitmaps[1, 10:30, 50:90] = True
    drawn = Target(outlined.boxes, outlined.labels, masks=bitmaps)
    first, second = (step(model, [make_image(64, 96)], [target]) for target in (outlined, drawn))
    assert second["loss_mask"] == pytest.approx(first["loss_mask"], rel=1e-2)
    assert {**first, "loss_mask": 0} == {**second, "loss_mask": 0}


def test_autocast(narrow_request: ModelRequest, make_image: MakeImage) -> None:
    model = create(narrow_request)
    batch = [make_image(64, 96)], [two_squares()]
    exact = step(model, *batch)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.losses(*batch)
    assert all(loss.dtype == torch.float32 for loss in losses.values())
    for name in ("loss_rpn_cls", "loss_mask"):
        assert losses[name].item() == pytest.approx(exact[name], rel=0.2)
    sum(losses.values()).backward()


def test_recomputed_activations_change_nothing(
    narrow_request: ModelRequest, make_image: MakeImage
) -> None:
    steps = []
    for recompute in (False, True):
        model = create(narrow_request)
        if recompute:
            assert isinstance(model, RecomputingModel)
            model.recompute_activations()
        losses = step(model, [make_image(64, 96)], [two_squares()])
        steps.append((losses, {name: p.grad for name, p in model.named_parameters()}))
    (plain, gradients), (found, others) = steps
    assert found == plain
    for name, gradient in gradients.items():
        assert gradient is None or torch.equal(gradient, others[name]), name


def test_a_step_may_be_held_together(narrow_request: ModelRequest, make_image: MakeImage) -> None:
    options = RetinaNetOptions(
        resnet=ResNetOptions(
            stem_out_channels=8, res2_out_channels=32, width_per_group=8, out_features=RES3_TO_5
        ),
        fpn=FPNOptions(in_features=RES3_TO_5, out_channels=16),
    )
    images = [make_image(64, 96), make_image(64, 64)]
    targets = [two_squares(), Target([[10, 10, 30, 40]], [2])]
    averages = []
    for order in ((0, 1), (1, 0)):
        model = create_retinanet(replace(narrow_request, options=options)).train()
        assert isinstance(model, StepwiseModel)
        with model.whole_step():
            for i in order:
                model.losses([images[i]], [targets[i]])
        averages.append(model.criterion.losses.normalizer.value.item())
    assert averages[0] == averages[1] < 100


def test_every_parameter_is_in_one_group_and_norms_in_their_own(
    narrow_request: ModelRequest, narrow_options: MaskRCNNOptions
) -> None:
    fpn = replace(narrow_options.fpn, norm="GN", out_channels=32)
    model = create(replace(narrow_request, options=replace(narrow_options, fpn=fpn)))
    groups = model.parameter_groups()
    grouped = [parameter for group in groups for parameter in group.parameters]
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert len(grouped) == len(trainable) and set(grouped) == set(trainable)
    (of_norms,) = (group for group in groups if group.of_norms)
    norms = {p for name, p in model.named_parameters() if ".norm." in name}
    assert set(of_norms.parameters) == norms and len(norms) == 16


def test_batch_statistics_of_frozen_stages_are_constants(
    narrow_request: ModelRequest, narrow_options: MaskRCNNOptions, make_image: MakeImage
) -> None:
    resnet = replace(narrow_options.resnet, norm="BN", freeze_at=2)
    model = create(replace(narrow_request, options=replace(narrow_options, resnet=resnet)))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    step(model, [make_image(64, 96)], [two_squares()])
    changed = {
        name.split(".")[2]
        for name, buffer in model.named_buffers()
        if not torch.equal(buffer, before[name])
    }
    assert changed == {"res3", "res4", "res5"}


def test_options_of_training(
    narrow_request: ModelRequest, narrow_options: MaskRCNNOptions, make_image: MakeImage
) -> None:
    def losses(**sections: Any) -> dict[str, float]:
        model = create(replace(narrow_request, options=replace(narrow_options, **sections)))
        return step(model, [make_image(64, 96)], [two_squares()])

    plain = losses()
    halved = losses(
        rpn=replace(narrow_options.rpn, training=RPNTrainingOptions(loss_weight=0.5)),
        box_head=replace(
            narrow_options.box_head,
            training=BoxHeadTrainingOptions(bbox_reg_loss=BoxLossOptions("l1", weight=0.5)),
        ),
    )
    for name in ("loss_rpn_cls", "loss_rpn_loc", "loss_box_reg"):
        assert halved[name] == pytest.approx(plain[name] / 2)
    assert halved["loss_cls"] == plain["loss_cls"]
    without = ROIHeadsTrainingOptions(proposal_append_gt=False, iou_thresholds=(0.999,))
    unmatched = losses(roi_heads=replace(narrow_options.roi_heads, training=without))
    assert unmatched["loss_box_reg"] == unmatched["loss_mask"] == 0


def test_a_strangers_loss_is_named_in_options(
    narrow_request: ModelRequest,
    narrow_options: MaskRCNNOptions,
    make_image: MakeImage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("somebodys_losses")
    module.create = lambda value: lambda predicted, target: predicted.sum(1) * 0 + value  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebodys_losses", module)
    spec = LossSpec("constant", "somebodys_losses:create", compares="boxes")
    monkeypatch.setitem(registry().losses, spec.name, spec)
    training = RPNTrainingOptions(
        batch_size_per_image=100, bbox_reg_loss=BoxLossOptions("constant", {"value": 2.0})
    )
    options = replace(narrow_options, rpn=replace(narrow_options.rpn, training=training))
    model = create(replace(narrow_request, options=options))
    loss = step(model, [make_image(64, 96)], [two_squares()])["loss_rpn_loc"]
    # A whole number of positive anchors, each of them 2 / 100.
    assert loss > 0 and loss * 50 == pytest.approx(round(loss * 50))


def test_what_cannot_be_learned_is_told(
    narrow_request: ModelRequest, narrow_options: MaskRCNNOptions, make_image: MakeImage
) -> None:
    model = create(narrow_request)
    image, target = make_image(64, 96), two_squares()
    with pytest.raises(ContractError, match="learns masks"):
        model.losses([image], [Target(target.boxes, target.labels)])
    with pytest.raises(ContractError, match="label 9; the model has 5"):
        model.losses([image], [Target(target.boxes, [9, 0], masks=target.masks)])
    with pytest.raises(ContractError, match="1 targets for 2 images"):
        model.losses([image, image], [target])
    training = RPNTrainingOptions(bbox_reg_loss=BoxLossOptions("smooth_l2"))
    options = replace(narrow_options, rpn=replace(narrow_options.rpn, training=training))
    with pytest.raises(UsageError, match="did you mean smooth_l1"):
        create(replace(narrow_request, options=options)).losses([image], [target])
    training = RPNTrainingOptions(iou_thresholds=(0.5,))
    options = replace(narrow_options, rpn=replace(narrow_options.rpn, training=training))
    with pytest.raises(UsageError, match="one label more than thresholds"):
        create(replace(narrow_request, options=options))

"""What RetinaNet and FCOS are trained on, an anchor at a time."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou, sigmoid_focal_loss

from benchsuite.errors import UsageError
from benchsuite.protocols import ModelRequest, TrainableModel
from benchsuite.records import Image, ImageRecord
from benchsuite.specs import Category
from benchsuite.targets import Target
from benchsuite_plugins.models import fcos, retinanet
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.dense_options import FCOSHeadOptions, RetinaNetHeadOptions
from benchsuite_plugins.models.dense_training_options import RetinaNetTrainingOptions
from benchsuite_plugins.models.fcos_losses import centerness_of
from benchsuite_plugins.models.options import FPNOptions, ResNetOptions
from benchsuite_plugins.models.retinanet_losses import RetinaNetLosses
from benchsuite_plugins.models.target_batch import TargetBatch
from benchsuite_plugins.models.training_options import BoxLossOptions, ClassLossOptions

STAGES = ("res3", "res4", "res5")
NARROW: dict[str, Any] = {
    "resnet": ResNetOptions(
        stem_out_channels=8, res2_out_channels=32, width_per_group=8, out_features=STAGES
    ),
    "fpn": FPNOptions(in_features=STAGES, out_channels=32),
}
OPTIONS: dict[ModuleType, Any] = {
    retinanet: retinanet.RetinaNetOptions(**NARROW),
    fcos: fcos.FCOSOptions(**NARROW, fcos=FCOSHeadOptions(conv_dim=64)),
}
TERMS = {
    retinanet: {"loss_cls", "loss_box_reg"},
    fcos: {"loss_fcos_cls", "loss_fcos_loc", "loss_fcos_ctr"},
}
CATEGORIES = tuple(Category(index, str(index)) for index in range(5))
SOME = Target([[10, 12, 60, 50], [30, 20, 90, 88]], [3, 0])


def image(height: int, width: int) -> Image:
    pixels = np.random.default_rng(height).integers(0, 255, (height, width, 3), np.uint8)
    return Image(ImageRecord(1, "noise.png", width, height), pixels)


def create(module: ModuleType, **training: Any) -> Any:
    options = OPTIONS[module]
    section = module.__name__.rpartition(".")[2]
    head = getattr(options, section)
    head = replace(head, training=replace(head.training, **training))
    request = ModelRequest(options=replace(options, **{section: head}), categories=CATEGORIES)
    return module.create(request).train()


@pytest.fixture(params=[retinanet, fcos], ids=["retinanet", "fcos"])
def module(request: pytest.FixtureRequest) -> ModuleType:
    chosen: ModuleType = request.param
    return chosen


def test_it_is_what_a_trainer_asks_for(module: ModuleType) -> None:
    model = create(module)
    assert isinstance(model, TrainableModel)
    losses = model.losses([image(96, 100)], [SOME])
    assert losses.keys() == TERMS[module]
    assert all(loss.shape == () and loss > 0 for loss in losses.values())
    sum(losses.values()).backward()
    grouped = [p for group in model.parameter_groups() for p in group.parameters]
    assert len(grouped) == len({id(parameter) for parameter in grouped})
    trained = {id(p) for p in model.parameters() if p.grad is not None and p.grad.isfinite().all()}
    assert trained == {id(parameter) for parameter in grouped}
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen and all(".stem." in name or ".res2." in name for name in frozen)


def test_an_image_without_objects_teaches_background_alone(module: ModuleType) -> None:
    model = create(module)
    losses = model.losses([image(64, 64), image(40, 90)], [Target(), Target()])
    sum(losses.values()).backward()
    for name, loss in losses.items():
        assert (loss > 0) == name.endswith("cls"), name
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_objects_are_those_of_their_image(module: ModuleType) -> None:
    # Two images of the same size: either order of both gives the same sums.
    images, targets = [image(96, 96), image(96, 96)], [SOME, Target()]
    forward = create(module).losses(images, targets)
    backward = create(module).losses(images[::-1], targets[::-1])
    alone = create(module).losses(images[:1], targets[:1])
    for name, loss in forward.items():
        torch.testing.assert_close(loss, backward[name], rtol=1e-5, atol=1e-6)
        if name.endswith("cls"):
            assert loss > alone[name]
        else:
            torch.testing.assert_close(loss, alone[name], rtol=1e-5, atol=1e-6)


def test_half_precision_is_summed_in_single(module: ModuleType) -> None:
    full = create(module).losses([image(96, 96)], [SOME])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = create(module).losses([image(96, 96)], [SOME])
    for name, loss in half.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(full[name].item(), rel=0.05)


def test_losses_are_chosen_by_name(module: ModuleType) -> None:
    terms = [
        create(module, bbox_reg_loss=BoxLossOptions(name)).losses([image(96, 96)], [SOME])
        for name in ("smooth_l1", "giou", "ciou")
    ]
    (term,) = (name for name in terms[0] if "loc" in name or "box" in name)
    assert len({losses[term].item() for losses in terms}) == 3
    doubled = create(module, bbox_reg_loss=BoxLossOptions("giou", weight=2.0))
    loss = doubled.losses([image(96, 96)], [SOME])[term]
    torch.testing.assert_close(loss, 2 * terms[1][term])
    with pytest.raises(UsageError, match="cross_entropy"):
        create(module, class_loss=ClassLossOptions("cross_entropy"))
    with pytest.raises(UsageError, match="giuo"):
        create(module, bbox_reg_loss=BoxLossOptions("giuo"))


def test_a_loss_that_knows_no_maps_is_given_a_target_each(module: ModuleType) -> None:
    model, other = create(module), create(module)
    loss = other.criterion.losses.class_loss
    other.criterion.losses.class_loss = lambda logits, targets: loss(logits, targets)
    images, targets = [image(96, 100), image(64, 90)], [SOME, Target()]
    summed, single = model.losses(images, targets), other.losses(images, targets)
    for name, term in summed.items():
        torch.testing.assert_close(single[name], term, rtol=1e-5, atol=1e-6)


def test_normaliser_moves_from_step_to_step(module: ModuleType) -> None:
    model = create(module)
    start = {retinanet: 100.0, fcos: 300.0}[module]
    model.losses([image(96, 96)], [Target()])
    first = model.criterion.losses.normalizer.value.item()
    assert first == pytest.approx(0.9 * start + 0.1)
    model.losses([image(96, 96)], [Target()])
    assert model.criterion.losses.normalizer.value.item() == pytest.approx(0.9 * first + 0.1)
    assert not any("criterion" in name for name in model.state_dict())


def test_retinanet_against_one_anchor_at_a_time() -> None:
    generator = torch.Generator().manual_seed(1)
    num_classes, count = 3, 60
    corners = torch.rand((count, 2), generator=generator) * 60
    anchors = torch.cat(
        [corners, corners + 12 + 20 * torch.rand((count, 2), generator=generator)], 1
    )
    boxes = torch.cat([corners[[4, 9, 20]], corners[[4, 9, 20]] + torch.tensor([18.0, 21.0])], 1)
    # The last is so small that it is nobody's but its nearest anchor's.
    boxes = torch.cat([boxes, torch.cat([corners[30:31] + 1, corners[30:31] + 6], dim=1)])
    labels = torch.tensor([2, 0, 1, 1])
    truth = TargetBatch(boxes, labels, torch.tensor([0, 0, 2, 2]), (2, 0, 2))
    logits = torch.randn((3, num_classes, count, 1), generator=generator)
    deltas = torch.randn((3, 4, count, 1), generator=generator)
    criterion = RetinaNetLosses(RetinaNetTrainingOptions(), BoxCoder((1, 1, 1, 1)), num_classes)
    losses = criterion(([logits], [deltas]), [anchors], truth)
    class_sum, box_sum, positives, ignored = slowly(logits, deltas, anchors, truth)
    assert positives > 3 and ignored > 0
    normaliser = 0.9 * 100 + 0.1 * positives
    assert losses["loss_cls"].item() == pytest.approx(class_sum / normaliser, rel=1e-5)
    assert losses["loss_box_reg"].item() == pytest.approx(box_sum / normaliser, rel=1e-5)


def slowly(
    logits: Tensor, deltas: Tensor, anchors: Tensor, truth: TargetBatch
) -> tuple[float, float, int, int]:
    class_sum = box_sum = 0.0
    positives = ignored = 0
    for picture in range(3):
        own = truth.image_index == picture
        boxes, labels = truth.boxes[own], truth.labels[own]
        iou = box_iou(boxes, anchors)
        for anchor in range(len(anchors)):
            one_hot = torch.zeros(logits.shape[1])
            if len(boxes):
                overlaps = iou[:, anchor]
                best = int(overlaps.argmax())
                nearest = any(overlaps[box] == iou[box].max() for box in range(len(boxes)))
                if overlaps[best] >= 0.5 or nearest:
                    positives += 1
                    one_hot[labels[best]] = 1
                    width, height = anchors[anchor, 2:] - anchors[anchor, :2]
                    target_width, target_height = boxes[best, 2:] - boxes[best, :2]
                    center = (anchors[anchor, :2] + anchors[anchor, 2:]) / 2
                    target_center = (boxes[best, :2] + boxes[best, 2:]) / 2
                    dx, dy = (target_center - center) / torch.stack([width, height])
                    expected = torch.stack(
                        [dx, dy, (target_width / width).log(), (target_height / height).log()]
                    )
                    box_sum += (deltas[picture, :, anchor, 0] - expected).abs().sum().item()
                elif overlaps[best] >= 0.4:
                    ignored += 1
                    continue
            class_sum += sigmoid_focal_loss(
                logits[picture, :, anchor, 0], one_hot, reduction="sum"
            ).item()
    return class_sum, box_sum, positives, ignored


def test_centerness_by_hand() -> None:
    distances = torch.tensor([[3.0, 5.0, 3.0, 5.0], [1.0, 2.0, 4.0, 18.0], [0.0, 1.0, 2.0, 1.0]])
    assert centerness_of(distances).tolist() == pytest.approx([1.0, 1 / 6, 0.0])


def test_published_training_settings() -> None:
    for options, start in ((RetinaNetHeadOptions(), 100), (FCOSHeadOptions(), 300)):
        training = options.training
        assert training.normalizer_start == start and training.normalizer_momentum == 0.9
        assert training.class_loss.options == {"alpha": 0.25, "gamma": 2.0}

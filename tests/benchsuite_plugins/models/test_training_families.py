"""Every family learns from what data sets hold too: images of nothing, objects of a pixel, half
precision. Each parameter gets its gradient each time, as training in several processes wants it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchsuite.protocols import ModelRequest
from benchsuite.records import Image
from benchsuite.specs import Category, KeypointLayout
from benchsuite.targets import Target
from benchsuite_plugins.models.backbones.options import (
    MViTOptions,
    RegNetOptions,
    SimpleFeaturePyramidOptions,
    SwinOptions,
    ViTOptions,
)
from benchsuite_plugins.models.cascade_mask_rcnn import CascadeMaskRCNNOptions
from benchsuite_plugins.models.cascade_panoptic_fpn import CascadePanopticFPNOptions
from benchsuite_plugins.models.dense_options import FCOSHeadOptions
from benchsuite_plugins.models.fast_rcnn import FastRCNNOptions
from benchsuite_plugins.models.faster_rcnn import FasterRCNNOptions
from benchsuite_plugins.models.fcos import FCOSOptions
from benchsuite_plugins.models.image_padding import PaddingOptions
from benchsuite_plugins.models.keypoint_head import KeypointHeadOptions
from benchsuite_plugins.models.keypoint_rcnn import KeypointRCNNOptions
from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions
from benchsuite_plugins.models.mask_rcnn_c4 import MaskRCNNC4Options
from benchsuite_plugins.models.mask_rcnn_dc5 import MaskRCNNDC5Options
from benchsuite_plugins.models.mask_rcnn_regnet import MaskRCNNRegNetOptions
from benchsuite_plugins.models.mvitv2_mask_rcnn import MViTv2MaskRCNNOptions
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    MaskHeadOptions,
    ResNetOptions,
)
from benchsuite_plugins.models.panoptic_fpn import PanopticFPNOptions
from benchsuite_plugins.models.proposal_network import ProposalNetworkOptions
from benchsuite_plugins.models.retinanet import RetinaNetOptions
from benchsuite_plugins.models.semantic_fpn import SemanticFPNOptions
from benchsuite_plugins.models.semantic_head import SemanticHeadOptions
from benchsuite_plugins.models.swin_cascade_mask_rcnn import SwinCascadeMaskRCNNOptions
from benchsuite_plugins.models.training_options import BoxHeadTrainingOptions, ClassLossOptions
from benchsuite_plugins.models.vitdet_cascade_mask_rcnn import ViTDetCascadeMaskRCNNOptions

MakeImage = Callable[[int, int], Image]

RESNET = ResNetOptions(stem_out_channels=8, res2_out_channels=32, width_per_group=8)
FPN = FPNOptions(out_channels=32)
RES3_TO_5 = ("res3", "res4", "res5")
PYRAMID: dict[str, Any] = {"resnet": RESNET, "fpn": FPN}
DENSE: dict[str, Any] = {
    "resnet": replace(RESNET, out_features=RES3_TO_5),
    "fpn": replace(FPN, in_features=RES3_TO_5),
}
BOX, AGNOSTIC = BoxHeadOptions(fc_dim=32), BoxHeadOptions(fc_dim=32, cls_agnostic_bbox_reg=True)
CONVOLVED = BoxHeadOptions(num_conv=2, conv_dim=32, num_fc=1, fc_dim=32, norm="BN")
MASK, SEMANTIC = MaskHeadOptions(conv_dim=16), SemanticHeadOptions(convs_dim=32)
FEDERATED = BoxHeadTrainingOptions(class_loss=ClassLossOptions("federated", {"num_classes": 3}))

FAMILIES: dict[str, Any] = {
    "mask_rcnn": MaskRCNNOptions(**PYRAMID, box_head=BOX, mask_head=MASK),
    "mask_rcnn, GN": MaskRCNNOptions(
        resnet=replace(
            RESNET, norm="GN", stem_out_channels=32, res2_out_channels=128, width_per_group=32
        ),
        fpn=replace(FPN, norm="GN"),
        box_head=replace(CONVOLVED, norm="GN"),
        mask_head=MaskHeadOptions(conv_dim=32, norm="GN"),
    ),
    "mask_rcnn, BN": MaskRCNNOptions(
        resnet=replace(RESNET, norm="BN"),
        fpn=replace(FPN, norm="BN"),
        box_head=CONVOLVED,
        mask_head=MaskHeadOptions(conv_dim=32, norm="SyncBN"),
    ),
    "mask_rcnn, deformable": MaskRCNNOptions(
        resnet=replace(RESNET, deform_on_per_stage=(False, True, True, True)),
        fpn=FPN,
        box_head=BOX,
        mask_head=MASK,
    ),
    "mask_rcnn_c4": MaskRCNNC4Options(
        resnet=replace(RESNET, out_features=("res4",)),
        mask_head=MaskHeadOptions(num_conv=0, conv_dim=16),
    ),
    "mask_rcnn_dc5": MaskRCNNDC5Options(
        resnet=replace(RESNET, res5_dilation=2, out_features=("res5",)),
        box_head=BOX,
        mask_head=MASK,
    ),
    "mask_rcnn_regnet": MaskRCNNRegNetOptions(
        regnet=RegNetOptions(stem_width=8, depth=10, w_a=12.0, w_0=16, w_m=2.2, group_width=16),
        fpn=replace(MaskRCNNRegNetOptions().fpn, out_channels=16),
        box_head=CONVOLVED,
        mask_head=MASK,
    ),
    "faster_rcnn": FasterRCNNOptions(**PYRAMID, box_head=BOX),
    "fast_rcnn": FastRCNNOptions(**PYRAMID, box_head=BOX),
    "rpn": ProposalNetworkOptions(**PYRAMID),
    "cascade_mask_rcnn": CascadeMaskRCNNOptions(**PYRAMID, box_head=AGNOSTIC, mask_head=MASK),
    "keypoint_rcnn": KeypointRCNNOptions(
        **PYRAMID, box_head=BOX, keypoint_head=KeypointHeadOptions(conv_dims=(16, 8))
    ),
    "semantic_fpn": SemanticFPNOptions(**PYRAMID, sem_seg_head=SEMANTIC),
    "panoptic_fpn": PanopticFPNOptions(
        **PYRAMID, box_head=BOX, mask_head=MASK, sem_seg_head=SEMANTIC
    ),
    "cascade_panoptic_fpn": CascadePanopticFPNOptions(
        **PYRAMID, box_head=AGNOSTIC, mask_head=MASK, sem_seg_head=SEMANTIC
    ),
    "retinanet": RetinaNetOptions(**DENSE),
    "fcos": FCOSOptions(**DENSE, fcos=FCOSHeadOptions(conv_dim=64)),
    "vitdet_cascade_mask_rcnn, federated": ViTDetCascadeMaskRCNNOptions(
        padding=PaddingOptions(128),
        vit=ViTOptions(
            img_size=128,
            embed_dim=32,
            depth=2,
            num_heads=2,
            window_size=3,
            global_block_indexes=(1,),
        ),
        simple_feature_pyramid=SimpleFeaturePyramidOptions(out_channels=16),
        box_head=replace(
            CONVOLVED,
            norm="LN",
            cls_agnostic_bbox_reg=True,
            classification="federated",
            training=FEDERATED,
        ),
        mask_head=replace(MASK, norm="LN"),
    ),
    "swin_cascade_mask_rcnn": SwinCascadeMaskRCNNOptions(
        padding=PaddingOptions(128),
        swin=SwinOptions(embed_dim=8, depths=(2, 2, 2, 2), num_heads=(1, 2, 4, 8)),
        fpn=replace(SwinCascadeMaskRCNNOptions().fpn, out_channels=16),
        box_head=replace(CONVOLVED, norm="LN", cls_agnostic_bbox_reg=True),
        mask_head=replace(MASK, norm="LN"),
    ),
    "mvitv2_mask_rcnn": MViTv2MaskRCNNOptions(
        mvit=MViTOptions(embed_dim=8, last_block_indexes=(0, 1, 3, 4), adaptive_window_size=16),
        fpn=replace(MViTv2MaskRCNNOptions().fpn, out_channels=16),
        box_head=replace(CONVOLVED, norm="LN"),
        mask_head=replace(MASK, norm="LN"),
    ),
}
"""Narrow ones; what has to do with training is as published."""

CATEGORIES = tuple(Category(index, str(index), isthing=index < 3) for index in range(5))
LAYOUT = KeypointLayout(("a", "b", "c"), (1.0, 1.0, 1.0))
EACH = pytest.mark.parametrize("name", FAMILIES)
SIZE = (96, 128)
PROPOSALS = [[0, 0, 60, 50], [10, 10, 50, 50], [60, 20, 120, 90], [0, 0, 128, 96]]


@cache
def made(name: str) -> Any:
    """The model, its features scaled to what they are with trained weights, in training mode."""
    options = FAMILIES[name]
    module = import_module(type(options).__module__)
    request = ModelRequest(options=options, categories=CATEGORIES, keypoints=LAYOUT, seed=1)
    model = module.create(request)
    for key, buffer in model.named_buffers():
        if key.endswith("conv3.norm.weight"):
            buffer.fill_(0.3)
        elif key.endswith("stem.conv1.norm.weight"):
            buffer.fill_(0.02)
    return model.train()


def target(*boxes: list[float], seen: int = 2, seed: int = 5) -> Target:
    """Rectangles of one category after the other, with all that any family learns."""
    points = np.array([[[x1, y1, seen], [x2, y2, seen], [x1, y2, 0]] for x1, y1, x2, y2 in boxes])
    return Target(
        boxes,
        [index % 3 for index in range(len(boxes))],
        masks=[[[x1, y1, x2, y1, x2, y2, x1, y2]] for x1, y1, x2, y2 in boxes],
        keypoints=points.reshape(-1, 3, 3),
        semantic=np.tile(np.arange(SIZE[1]) // 30 % 5, (SIZE[0], 1)),
        proposals=PROPOSALS,
        seed=seed,
    )


def losses_of(model: Any, *batch: tuple[Image, Target]) -> dict[str, Tensor]:
    torch.manual_seed(0)
    images, targets = zip(*batch, strict=True)
    return dict(model.losses(images, targets))


def check_gradients(model: Any, losses: dict[str, Tensor]) -> None:
    model.zero_grad()
    sum(losses.values()).backward()  # type: ignore[union-attr]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


CASES = {
    "nothing": target(),
    "a pixel and less": target([10, 10, 11, 11], [40, 40, 40.001, 80], [90, 9, 91, 9.01]),
    "nothing at all": replace(target(), semantic=np.full(SIZE, -1), proposals=np.zeros((0, 4))),
}


@EACH
@pytest.mark.parametrize("case", CASES)
def test_whatever_the_truth_losses_are_finite_and_every_parameter_has_a_gradient(
    name: str, case: str, make_image: MakeImage
) -> None:
    model = made(name)
    losses = losses_of(model, (make_image(*SIZE), CASES[case]))
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses.values()), losses
    check_gradients(model, losses)


def test_objects_without_a_visible_keypoint(make_image: MakeImage) -> None:
    model = made("keypoint_rcnn")
    losses = losses_of(model, (make_image(*SIZE), target([20, 20, 70, 60], seen=0)))
    assert losses["loss_keypoint"] == 0 < losses["loss_box_reg"]
    check_gradients(model, losses)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, torch.bfloat16) for name in FAMILIES),
        *((name, torch.float16) for name in ("mask_rcnn", "retinanet", "panoptic_fpn")),
    ],
)
def test_mixed_precision(name: str, dtype: torch.dtype, make_image: MakeImage) -> None:
    model = made(name)
    batch = (make_image(*SIZE), target([4, 6, 60, 44], [50, 30, 110, 90]))
    # Which proposals there are, and so the terms of what looks at them, hangs on every bit.
    with model.whole_step():
        exact = losses_of(model, batch)
        with torch.autocast("cpu", dtype):
            losses = losses_of(model, batch)
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses.values()), losses
    total, wanted = (sum(term.item() for term in terms.values()) for terms in (losses, exact))
    assert total == pytest.approx(wanted, rel=0.1)
    check_gradients(model, losses)

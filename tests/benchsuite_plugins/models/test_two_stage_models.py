"""What every two-stage detector promises, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from benchsuite.errors import UsageError
from benchsuite.protocols import ModelRequest, StagedModel, TrainableModel
from benchsuite.records import Image
from benchsuite.specs import Category
from benchsuite.targets import Target
from benchsuite_plugins.models.cascade_heads import CascadeOptions
from benchsuite_plugins.models.cascade_mask_rcnn import CascadeMaskRCNNOptions
from benchsuite_plugins.models.faster_rcnn import FasterRCNNOptions
from benchsuite_plugins.models.faster_rcnn_c4 import FasterRCNNC4Options
from benchsuite_plugins.models.faster_rcnn_dc5 import FasterRCNNDC5Options
from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions
from benchsuite_plugins.models.mask_rcnn_c4 import MaskRCNNC4Options
from benchsuite_plugins.models.mask_rcnn_dc5 import MaskRCNNDC5Options
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    MaskHeadOptions,
    ResNetOptions,
    ROIHeadsOptions,
)
from benchsuite_plugins.models.proposal_network import ProposalNetworkOptions

MakeImage = Callable[[int, int], Image]

INPUT = InputOptions(min_size_test=96, max_size_test=160)
RESNET = ResNetOptions(stem_out_channels=8, res2_out_channels=32, width_per_group=8)
PYRAMID: dict[str, Any] = {"input": INPUT, "resnet": RESNET, "fpn": FPNOptions(out_channels=16)}

NARROW: dict[str, Any] = {
    "faster_rcnn": FasterRCNNOptions(**PYRAMID, box_head=BoxHeadOptions(fc_dim=32)),
    "mask_rcnn_deformable": MaskRCNNOptions(
        **{**PYRAMID, "resnet": replace(RESNET, deform_on_per_stage=(False, True, True, True))},
        box_head=BoxHeadOptions(fc_dim=32),
        mask_head=MaskHeadOptions(conv_dim=16),
    ),
    "rpn": ProposalNetworkOptions(**PYRAMID),
    "cascade_mask_rcnn": CascadeMaskRCNNOptions(
        **PYRAMID,
        box_head=BoxHeadOptions(fc_dim=32, cls_agnostic_bbox_reg=True),
        mask_head=MaskHeadOptions(conv_dim=16),
    ),
    "faster_rcnn_c4": FasterRCNNC4Options(INPUT, replace(RESNET, out_features=("res4",))),
    "mask_rcnn_c4": MaskRCNNC4Options(
        INPUT,
        replace(RESNET, out_features=("res4",)),
        mask_head=MaskHeadOptions(num_conv=0, conv_dim=16),
    ),
    "faster_rcnn_dc5": FasterRCNNDC5Options(
        INPUT,
        replace(RESNET, res5_dilation=2, out_features=("res5",)),
        box_head=BoxHeadOptions(fc_dim=32),
    ),
    "mask_rcnn_dc5": MaskRCNNDC5Options(
        INPUT,
        replace(RESNET, res5_dilation=2, out_features=("res5",)),
        box_head=BoxHeadOptions(fc_dim=32),
        mask_head=MaskHeadOptions(conv_dim=16),
    ),
}
CLASSES = tuple(Category(index, str(index)) for index in range(5))
MODELS = pytest.mark.parametrize("name", NARROW)


def create(options: Any, **rest: Any) -> Any:
    module = import_module(type(options).__module__)
    return module.create(ModelRequest(options=options, categories=CLASSES, **rest))


def lively(options: Any) -> Any:
    """Initial weights spread so far that boxes and classes differ."""
    model = create(options, seed=3)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith("conv3.norm.weight"):
                buffer.fill_(0.3)
            elif name.endswith("stem.conv1.norm.weight"):
                buffer.fill_(0.02)
        for name, parameter in model.named_parameters():
            for part, factor in (
                ("rpn_head.objectness_logits.weight", 20),
                ("rpn_head.conv.weight", 3),
                ("cls_score.weight", 60),
                ("bbox_pred.weight", 300),
            ):
                if name.endswith(part) or (part.partition(".")[0] in name and f".{part}" in name):
                    parameter.mul_(factor)
    return model


@MODELS
def test_it_is_what_the_host_asks_for(name: str) -> None:
    model = create(NARROW[name])
    assert isinstance(model, StagedModel) and isinstance(model, TrainableModel)
    assert not model.training


@MODELS
@pytest.mark.parametrize("size", [(1, 1), (33, 47), (1200, 90)])
def test_images_of_any_size(name: str, make_image: MakeImage, size: tuple[int, int]) -> None:
    (prediction,) = lively(NARROW[name]).predict([make_image(*size)])
    height, width = size
    assert len(prediction) > 0
    assert (prediction.boxes >= 0).all()
    assert (prediction.boxes[:, 2:] <= (width, height)).all()
    assert (prediction.boxes[:, 2:] > prediction.boxes[:, :2]).all()
    assert (np.diff(prediction.scores) <= 0).all()


@MODELS
def test_odd_sizes_share_a_batch(name: str, make_image: MakeImage) -> None:
    images = [make_image(1, 1), make_image(33, 47), make_image(200, 30)]
    predictions = lively(NARROW[name]).predict(images)
    for prediction, image in zip(predictions, images, strict=True):
        assert len(prediction) > 0
        assert (prediction.boxes[:, 2:] <= (image.width, image.height)).all()


@MODELS
def test_batch_equals_one_at_a_time_where_the_padding_is_the_same(
    name: str, make_image: MakeImage
) -> None:
    model = lively(NARROW[name])
    images = [make_image(60, 80), make_image(120, 160)]
    for together, image in zip(model.predict(images), images, strict=True):
        (alone,) = model.predict([image])
        assert len(together) == len(alone) > 0
        # Nearly equal scores may come in another order.
        distance = np.abs(together.boxes[:, None] - alone.boxes).max(axis=2)
        distance[together.labels[:, None] != alone.labels] = np.inf
        assert distance.min(axis=0).max() < 1e-2 > distance.min(axis=1).max()


@MODELS
def test_no_detection_is_an_ordinary_outcome(name: str, make_image: MakeImage) -> None:
    options = NARROW[name]
    if hasattr(options, "roi_heads"):
        heads = replace(options.roi_heads, score_thresh_test=2.0)
        options = replace(options, roi_heads=heads)
    else:
        options = replace(options, rpn=replace(options.rpn, min_size=1e4))
    first, second = create(options).predict([make_image(40, 60), make_image(9, 9)])
    assert len(first) == len(second) == 0


@MODELS
def test_nothing_to_look_at_is_an_ordinary_outcome(name: str, make_image: MakeImage) -> None:
    options = replace(NARROW[name], rpn=replace(NARROW[name].rpn, min_size=1e4))
    (prediction,) = create(options).predict([make_image(40, 60)])
    assert len(prediction) == 0


@MODELS
def test_weights_that_are_not_finite_give_no_detections(name: str, make_image: MakeImage) -> None:
    model = create(NARROW[name])
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("bbox_pred.bias") or "anchor_deltas.bias" in parameter_name:
                parameter.fill_(torch.nan)
    (prediction,) = model.predict([make_image(40, 60)])
    assert len(prediction) == 0


@MODELS
def test_half_precision(name: str, make_image: MakeImage) -> None:
    model, image = lively(NARROW[name]), make_image(60, 80)
    (full,) = model.predict([image])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (half,) = model.predict([image])
    assert half.scores[0] == pytest.approx(full.scores[0], rel=0.1, abs=0.05)


class Network(torch.nn.Module):
    """What of a model sees pixels and pooled regions, without choosing among them."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone = model.backbone
        self.rpn_head = model.proposal_generator.rpn_head
        self.in_features = model.proposal_generator.options.in_features

    def forward(self, pixels: torch.Tensor) -> Any:
        features = self.backbone(pixels)
        return self.rpn_head([features[name] for name in self.in_features])


@MODELS
def test_network_compiles_to_one_graph(name: str) -> None:
    network, pixels = Network(lively(NARROW[name])), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(pixels), network(pixels))


@MODELS
def test_network_is_exported_for_all_sizes(name: str) -> None:
    network, pixels = Network(lively(NARROW[name])), torch.randn(2, 3, 160, 224)
    batch = torch.export.Dim("batch", max=64)
    # Of less than five cells at stride 32 the coarsest level is one cell, which torch guards on.
    height, width = (32 * torch.export.Dim(side, min=5, max=64) for side in ("rows", "columns"))
    with torch.no_grad():
        exported = torch.export.export(
            network, (pixels,), dynamic_shapes=({0: batch, 2: height, 3: width},), strict=False
        )
        other = torch.randn(1, 3, 192, 320)
        torch.testing.assert_close(exported.module()(other), network(other))


@pytest.mark.parametrize("name", ["faster_rcnn", "cascade_mask_rcnn", "mask_rcnn_c4"])
def test_heads_compile_to_one_graph(name: str) -> None:
    heads = lively(NARROW[name]).roi_heads
    pooled = torch.randn(5, heads.in_channels, 14, 14)
    for part, seen in (
        (heads.box_head[1] if name == "cascade_mask_rcnn" else None, pooled[..., :7, :7]),
        (heads.box_head if name == "faster_rcnn" else None, pooled[..., :7, :7]),
        (getattr(heads, "res5", None), pooled),
        (heads.mask_head if name == "cascade_mask_rcnn" else None, pooled),
    ):
        if part is not None:
            compiled = torch.compile(part, fullgraph=True, backend="aot_eager")
            torch.testing.assert_close(compiled(seen), part(seen))


@MODELS
def test_every_parameter_that_trains_learns(name: str, make_image: MakeImage) -> None:
    model = create(NARROW[name]).train()
    mask = np.zeros((64, 96), np.bool_)
    mask[10:40, 20:60] = True
    targets = [Target([[20, 10, 60, 40]], [2], masks=[mask]), Target()]
    losses = model.losses([make_image(64, 96), make_image(50, 70)], targets)
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    for parameter_name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, parameter_name
    grouped = [p for group in model.parameter_groups() for p in group.parameters]
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"box_head": BoxHeadOptions(pooler_resolution=14)}, "num_fc"),
        ({"resnet": replace(RESNET, res5_dilation=2, out_features=("res4",))}, "res5_dilation"),
        ({"roi_heads": ROIHeadsOptions()}, "p2"),
    ],
)
def test_res5_is_the_whole_head(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        create(replace(NARROW["faster_rcnn_c4"], **changes))


class TestCascade:
    def test_boxes_go_from_stage_to_stage(self, make_image: MakeImage) -> None:
        """Where no stage moves anything, the boxes are the proposals and the scores the mean."""
        model = lively(NARROW["cascade_mask_rcnn"])
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "bbox_pred" in name:
                    parameter.zero_()
        batch = model.preprocess([make_image(60, 80)])
        with torch.no_grad():
            features = model.backbone(batch.pixels)
            proposals = model.proposal_generator(features, batch.sizes)
            pooled = model.roi_heads.box_pooler(features, proposals.boxes, proposals.image_index)
            stages = [model.roi_heads.predict(stage, pooled)[0].softmax(-1) for stage in range(3)]
            detections = model.roi_heads.detect_boxes(features, proposals, batch.sizes)
        mean = sum(stages) / 3
        assert not torch.allclose(stages[0], stages[2], atol=1e-2)
        assert len(detections.boxes) > 0
        for box, score, label in zip(
            detections.boxes, detections.scores, detections.labels, strict=True
        ):
            distance = (proposals.boxes - box).abs().amax(dim=1)
            assert distance.min() < 1e-3
            assert (mean[distance < 1e-3, label] - score).abs().min() < 1e-5

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"cascade": CascadeOptions(ious=(0.5, 0.6))}, "bbox_reg_weights"),
            ({"box_head": BoxHeadOptions(fc_dim=32)}, "cls_agnostic_bbox_reg"),
            ({"cascade": CascadeOptions(ious=(0.4, 0.6, 0.7))}, "iou_thresholds"),
        ],
    )
    def test_options_that_do_not_fit_are_told(self, changes: dict[str, Any], told: str) -> None:
        with pytest.raises(UsageError, match=told):
            create(replace(NARROW["cascade_mask_rcnn"], **changes))

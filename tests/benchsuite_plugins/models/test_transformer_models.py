"""What detectors on ViT, Swin, MViTv2 and RegNet promise, whatever the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchsuite.protocols import ModelRequest, StagedModel, TrainableModel
from benchsuite.records import Image
from benchsuite.specs import Category
from benchsuite.targets import Target
from benchsuite_plugins.models.backbones.options import (
    MViTOptions,
    RegNetOptions,
    SimpleFeaturePyramidOptions,
    SwinOptions,
    ViTOptions,
)
from benchsuite_plugins.models.image_padding import PaddingOptions
from benchsuite_plugins.models.mask_rcnn_regnet import MaskRCNNRegNetOptions
from benchsuite_plugins.models.mvitv2_cascade_mask_rcnn import MViTv2CascadeMaskRCNNOptions
from benchsuite_plugins.models.mvitv2_mask_rcnn import MViTv2MaskRCNNOptions
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    InputOptions,
    MaskHeadOptions,
    ROIHeadsOptions,
)
from benchsuite_plugins.models.swin_cascade_mask_rcnn import SwinCascadeMaskRCNNOptions
from benchsuite_plugins.models.training_options import BoxHeadTrainingOptions, ClassLossOptions
from benchsuite_plugins.models.vitdet_cascade_mask_rcnn import ViTDetCascadeMaskRCNNOptions
from benchsuite_plugins.models.vitdet_mask_rcnn import ViTDetMaskRCNNOptions

MakeImage = Callable[[int, int], Image]

INPUT = InputOptions("RGB", 96, 128)
SQUARE = PaddingOptions(128)
HEADS = {
    "roi_heads": ROIHeadsOptions(score_thresh_test=0.0),
    "mask_head": MaskHeadOptions(conv_dim=16, norm="LN"),
}
BOX_HEAD = BoxHeadOptions(num_conv=2, conv_dim=16, num_fc=1, fc_dim=32, norm="LN")
CASCADE_BOX_HEAD = replace(BOX_HEAD, cls_agnostic_bbox_reg=True)
FEDERATED = {
    "classification": "federated",
    "training": BoxHeadTrainingOptions(
        class_loss=ClassLossOptions("federated", {"num_classes": 3})
    ),
}
VIT = {
    "input": INPUT,
    "padding": SQUARE,
    "vit": ViTOptions(
        img_size=128, embed_dim=32, depth=2, num_heads=2, window_size=3, global_block_indexes=(1,)
    ),
    "simple_feature_pyramid": SimpleFeaturePyramidOptions(out_channels=16),
    **HEADS,
}
SWIN = SwinOptions(embed_dim=8, depths=(2, 2, 2, 2), num_heads=(1, 2, 4, 8))
MVIT = MViTOptions(embed_dim=8, last_block_indexes=(0, 1, 3, 4), adaptive_window_size=16)
REGNET = RegNetOptions(stem_width=8, depth=10, w_a=12.0, w_0=16, w_m=2.2, group_width=16)


def narrow_fpn(options: Any) -> Any:
    return replace(options, fpn=replace(options.fpn, out_channels=16))


NARROW: dict[str, Any] = {
    "vitdet_mask_rcnn": ViTDetMaskRCNNOptions(**VIT, box_head=BOX_HEAD),
    "vitdet_mask_rcnn, federated": ViTDetMaskRCNNOptions(
        **VIT, box_head=replace(BOX_HEAD, **FEDERATED)
    ),
    "vitdet_cascade_mask_rcnn": ViTDetCascadeMaskRCNNOptions(**VIT, box_head=CASCADE_BOX_HEAD),
    "vitdet_cascade_mask_rcnn, federated": ViTDetCascadeMaskRCNNOptions(
        **VIT, box_head=replace(CASCADE_BOX_HEAD, **FEDERATED)
    ),
    "swin_cascade_mask_rcnn": narrow_fpn(
        SwinCascadeMaskRCNNOptions(
            input=INPUT, padding=SQUARE, swin=SWIN, box_head=CASCADE_BOX_HEAD, **HEADS
        )
    ),
    "mvitv2_mask_rcnn": narrow_fpn(
        MViTv2MaskRCNNOptions(input=INPUT, mvit=MVIT, box_head=BOX_HEAD, **HEADS)
    ),
    "mvitv2_cascade_mask_rcnn": narrow_fpn(
        MViTv2CascadeMaskRCNNOptions(input=INPUT, mvit=MVIT, box_head=CASCADE_BOX_HEAD, **HEADS)
    ),
    "mask_rcnn_regnet": narrow_fpn(
        MaskRCNNRegNetOptions(input=INPUT, regnet=REGNET, box_head=BOX_HEAD, **HEADS)
    ),
}
CLASSES = tuple(Category(index, str(index)) for index in range(5))
MODELS = pytest.mark.parametrize("name", NARROW)


def create(options: Any, **rest: Any) -> Any:
    module = import_module(type(options).__module__)
    return module.create(ModelRequest(options=options, categories=CLASSES, **rest))


@contextmanager
def few_proposals(model: Any) -> Iterator[None]:
    """So that a test is quick."""
    rpn = model.proposal_generator
    before, rpn.options = rpn.options, replace(rpn.options, post_nms_topk_test=50)
    yield
    rpn.options = before


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: create(options, seed=5) for name, options in NARROW.items()}


@MODELS
def test_it_is_what_the_host_asks_for(models: dict[str, Any], name: str) -> None:
    assert isinstance(models[name], StagedModel) and isinstance(models[name], TrainableModel)
    assert not models[name].training


@MODELS
@pytest.mark.parametrize("size", [(1, 1), (33, 47), (1200, 90)])
def test_images_of_any_size(
    models: dict[str, Any], name: str, make_image: MakeImage, size: tuple[int, int]
) -> None:
    with few_proposals(models[name]):
        (prediction,) = models[name].predict([make_image(*size)])
    height, width = size
    assert len(prediction) > 0 and np.isfinite(prediction.scores).all()
    assert prediction.masks is not None and len(prediction.masks) == len(prediction)
    assert (prediction.boxes >= 0).all()
    assert (prediction.boxes[:, 2:] <= (width, height)).all()
    assert (prediction.boxes[:, 2:] > prediction.boxes[:, :2]).all()


@MODELS
def test_odd_sizes_share_a_batch(models: dict[str, Any], name: str, make_image: MakeImage) -> None:
    images = [make_image(1, 1), make_image(33, 47), make_image(200, 30)]
    with few_proposals(models[name]):
        predictions = models[name].predict(images)
    for prediction, image in zip(predictions, images, strict=True):
        assert len(prediction) > 0
        assert (prediction.boxes[:, 2:] <= (image.width, image.height)).all()


@MODELS
def test_no_detection_is_an_ordinary_outcome(name: str, make_image: MakeImage) -> None:
    options = replace(NARROW[name], roi_heads=ROIHeadsOptions(score_thresh_test=2.0))
    first, second = create(options).predict([make_image(40, 60), make_image(9, 9)])
    assert len(first) == len(second) == 0


@MODELS
def test_half_precision(models: dict[str, Any], name: str, make_image: MakeImage) -> None:
    model, image = models[name], make_image(60, 80)
    with few_proposals(model):
        (full,) = model.predict([image])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            (half,) = model.predict([image])
    assert half.scores[0] == pytest.approx(full.scores[0], rel=0.1, abs=0.05)


@MODELS
def test_channels_last(models: dict[str, Any], name: str, make_image: MakeImage) -> None:
    model = models[name]
    batch = model.preprocess([make_image(60, 80)])
    last = replace(batch, pixels=batch.pixels.to(memory_format=torch.channels_last))
    with few_proposals(model):
        expected, other = model.forward(batch).detections, model.forward(last).detections
    torch.testing.assert_close(other.scores, expected.scores, atol=1e-4, rtol=0)


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


class Network(nn.Module):
    """All that is convolution and attention, without what depends on the values."""

    def __init__(self, model: Any, cascade: bool) -> None:
        super().__init__()
        self.backbone = model.backbone
        self.rpn_head = model.proposal_generator.rpn_head
        heads = model.roi_heads
        self.box_heads = heads.box_head if cascade else nn.ModuleList([heads.box_head])
        self.predictors = heads.box_predictor if cascade else nn.ModuleList([heads.box_predictor])
        self.mask_head = heads.mask_head

    def forward(self, images: Tensor, boxes: Tensor, masks: Tensor) -> tuple[Any, ...]:
        rated = self.rpn_head(list(self.backbone(images).values()))
        stages = zip(self.box_heads, self.predictors, strict=True)
        regions = [predictor(head(boxes)) for head, predictor in stages]
        return rated, regions, self.mask_head(masks)


@MODELS
def test_network_compiles_to_one_graph(models: dict[str, Any], name: str) -> None:
    network = Network(models[name], "cascade" in name).eval()
    inputs = torch.randn(2, 3, 128, 128), torch.randn(4, 16, 7, 7), torch.randn(3, 16, 14, 14)
    torch.compiler.reset()
    with torch.no_grad():
        compiled = torch.compile(network, fullgraph=True, backend="eager")(*inputs)
        torch.testing.assert_close(compiled, network(*inputs))

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchsuite.protocols import ModelRequest
from benchsuite.records import Image
from benchsuite.specs import Category
from benchsuite.targets import Target
from benchsuite_plugins.models.cascade_panoptic_fpn import (
    CascadePanopticFPNOptions,
    build,
    create,
)
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    MaskHeadOptions,
    ResNetOptions,
    ROIHeadsOptions,
)
from benchsuite_plugins.models.semantic_head import SemanticHeadOptions

CONFIG = "Misc/panoptic_fpn_R_101_dconv_cascade_gn_3x.yaml"
PUBLISHED = CascadePanopticFPNOptions(
    resnet=ResNetOptions(
        depth=101,
        norm="GN",
        stride_in_1x1=False,
        deform_on_per_stage=(False, True, True, True),
    ),
    fpn=FPNOptions(norm="GN"),
    mask_head=MaskHeadOptions(norm="GN"),
)
NARROW = CascadePanopticFPNOptions(
    input=InputOptions(min_size_test=96, max_size_test=160),
    resnet=ResNetOptions(stem_out_channels=8, res2_out_channels=32, width_per_group=8),
    fpn=FPNOptions(out_channels=16),
    box_head=BoxHeadOptions(fc_dim=32, cls_agnostic_bbox_reg=True),
    mask_head=MaskHeadOptions(conv_dim=16),
    sem_seg_head=SemanticHeadOptions(convs_dim=32),
)


def categories(things: int, stuff: int) -> tuple[Category, ...]:
    return tuple(Category(i, str(i), isthing=i < things) for i in range(things + stuff))


def test_names_and_shapes_are_the_published_ones(
    published_state_dict: Callable[[str], tuple[dict[str, list[int]], set[str]]],
) -> None:
    shapes, parameters = published_state_dict(CONFIG)
    with torch.device("meta"):
        model = build(PUBLISHED, categories(80, 53))
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == shapes
    assert {name for name, _ in model.named_parameters()} == parameters


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (1200, 90)])
def test_images_of_any_size(make_image: Callable[[int, int], Image], size: tuple[int, int]) -> None:
    model = create(ModelRequest(options=NARROW, categories=categories(4, 3)))
    (prediction,) = model.predict([make_image(*size)])
    assert prediction.panoptic.ids.shape == size


def test_no_detection_is_an_ordinary_outcome(make_image: Callable[[int, int], Image]) -> None:
    options = replace(NARROW, roi_heads=ROIHeadsOptions(score_thresh_test=2.0))
    model = create(ModelRequest(options=options, categories=categories(4, 3)))
    for prediction in model.predict([make_image(40, 60), make_image(9, 9)]):
        assert len(prediction) == 0 and prediction.masks == []
        assert not any(segment.isthing for segment in prediction.panoptic.segments)


def test_half_precision(make_image: Callable[[int, int], Image]) -> None:
    resnet = replace(NARROW.resnet, deform_on_per_stage=(False, True, True, True))
    options = replace(NARROW, resnet=resnet)
    model = create(ModelRequest(options=options, categories=categories(4, 3), seed=2))
    (full,) = model.predict([make_image(60, 80)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (half,) = model.predict([make_image(60, 80)])
    assert len(half) > 0 and half.panoptic.ids.shape == (60, 80)
    assert half.scores[0] == pytest.approx(full.scores[0], rel=0.1, abs=0.05)


def test_scores_are_the_mean_of_all_stages(make_image: Callable[[int, int], Image]) -> None:
    model = create(ModelRequest(options=NARROW, categories=categories(4, 3), seed=2))
    with torch.no_grad():
        model.roi_heads.box_predictor[1].cls_score.bias[2] += 1e4
    (prediction,) = model.predict([make_image(60, 80)])
    sure = prediction.labels == 2
    assert sure.any() and (prediction.scores[sure] >= 1 / 3).all()
    assert (prediction.scores[~sure] <= 2 / 3).all()


def test_all_branches_learn(make_image: Callable[[int, int], Image]) -> None:
    model = create(ModelRequest(options=NARROW, categories=categories(4, 3))).train()
    semantic = np.full((64, 96), 5)
    mask = np.zeros((64, 96), np.bool_)
    mask[10:40, 20:60] = True
    target = Target([[20, 10, 60, 40]], [2], masks=[mask], semantic=semantic)
    losses = model.losses([make_image(64, 96)], [target])
    assert set(losses) == {
        *("loss_rpn_cls", "loss_rpn_loc", "loss_mask", "loss_sem_seg"),
        *(f"loss_{kind}_stage{stage}" for kind in ("cls", "box_reg") for stage in range(3)),
    }
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import benchsuite_plugins
from benchsuite.errors import UsageError
from benchsuite.protocols import DescribedModel, ModelRequest, StagedModel
from benchsuite.records import Image
from benchsuite.specs import Category, load
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    MaskHeadOptions,
    ResNetOptions,
    ROIHeadsOptions,
    RPNOptions,
)
from benchsuite_plugins.models.panoptic_fpn import PanopticFPNOptions, build, create
from benchsuite_plugins.models.panoptic_merge import PanopticOptions
from benchsuite_plugins.models.semantic_head import SemanticHeadOptions

MakeImage = Callable[[int, int], Image]
StateDict = Callable[[str], tuple[dict[str, list[int]], set[str]]]

NARROW = PanopticFPNOptions(
    input=InputOptions(min_size_test=96, max_size_test=160),
    resnet=ResNetOptions(stem_out_channels=8, res2_out_channels=32, width_per_group=8),
    fpn=FPNOptions(out_channels=16),
    rpn=RPNOptions(pre_nms_topk_test=100, post_nms_topk_test=40),
    roi_heads=ROIHeadsOptions(detections_per_image=20),
    box_head=BoxHeadOptions(fc_dim=32),
    mask_head=MaskHeadOptions(conv_dim=16),
    sem_seg_head=SemanticHeadOptions(convs_dim=32),
    panoptic=PanopticOptions(stuff_area_limit=1, instances_confidence_thresh=0.1),
)
# Stuff before, between and behind the things.
CATEGORIES = tuple(Category(10 * i, str(i), isthing=i in (1, 3, 4)) for i in range(7))
THINGS, STUFF = {1, 3, 4}, {0, 2, 5, 6}


@pytest.fixture(scope="module")
def narrow_model() -> Any:
    return create(ModelRequest(options=NARROW, categories=CATEGORIES, seed=2))


def test_registered_spec_leads_here() -> None:
    (spec,) = [s for s in benchsuite_plugins.benchsuite_models() if s.name == "panoptic_fpn"]
    assert load(spec.factory) is create
    assert load(spec.options) is PanopticFPNOptions


@pytest.mark.parametrize(
    ("config", "depth"),
    [("panoptic_fpn_R_50_1x", 50), ("panoptic_fpn_R_50_3x", 50), ("panoptic_fpn_R_101_3x", 101)],
)
def test_names_and_shapes_are_the_published_ones(
    published_state_dict: StateDict, config: str, depth: Any
) -> None:
    shapes, parameters = published_state_dict(f"COCO-PanopticSegmentation/{config}.yaml")
    coco = [Category(i, str(i), isthing=i < 80) for i in range(133)]
    with torch.device("meta"):
        model = build(PanopticFPNOptions(resnet=ResNetOptions(depth=depth)), coco)
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == shapes
    assert {name for name, _ in model.named_parameters()} == parameters


def test_settings_are_the_published_ones(
    published_settings: Callable[[str], dict[str, Any]],
) -> None:
    settings = published_settings("COCO-PanopticSegmentation/panoptic_fpn_R_101_3x.yaml")
    options, semantic, panoptic = PanopticFPNOptions(), settings["semantic"], settings["panoptic"]
    assert list(options.sem_seg_head.in_features) == semantic["in_features"]
    assert options.sem_seg_head.common_stride == semantic["common_stride"]
    assert options.panoptic.overlap_thresh == panoptic["overlap_thresh"]
    assert options.panoptic.stuff_area_limit == panoptic["stuff_area_thresh"]
    assert options.panoptic.instances_confidence_thresh == panoptic["instance_score_thresh"]
    for name in ("score_thresh_test", "nms_thresh_test", "detections_per_image"):
        assert getattr(options.roi_heads, name) == settings["box"][name]
    coco = [Category(i, str(i), isthing=i < 80) for i in range(133)]
    with torch.device("meta"):
        model = build(PanopticFPNOptions(resnet=ResNetOptions(depth=101)), coco)
    assert model.sem_seg_head.predictor.out_channels == semantic["num_classes"]
    norm = model.sem_seg_head.p2[0].norm
    assert (norm.num_groups, norm.eps) == (semantic["norm"]["groups"], semantic["norm"]["eps"])
    trained = [p for n, p in model.named_parameters() if "res2" not in n and "stem" not in n]
    assert sum(parameter.numel() for parameter in trained) == settings["trainable_numel"]


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (1200, 90), (300, 400)])
def test_images_of_any_size(
    narrow_model: Any, make_image: MakeImage, size: tuple[int, int]
) -> None:
    assert isinstance(narrow_model, StagedModel) and isinstance(narrow_model, DescribedModel)
    (prediction,) = narrow_model.predict([make_image(*size)])
    assert prediction.panoptic.ids.shape == size == prediction.semantic.shape
    assert len(prediction.masks) == len(prediction) > 0
    numbers = {segment.id for segment in prediction.panoptic.segments}
    assert set(np.unique(prediction.panoptic.ids).tolist()) - {0} == numbers


def test_labels_are_the_models_categories(narrow_model: Any, make_image: MakeImage) -> None:
    images = [make_image(60, 80), make_image(90, 70), make_image(50, 50)]
    predictions = narrow_model.predict(images)
    assert {label for each in predictions for label in each.labels.tolist()} <= THINGS
    segments = [segment for each in predictions for segment in each.panoptic.segments]
    things = {segment.label for segment in segments if segment.isthing}
    stuff = {segment.label for segment in segments if not segment.isthing}
    assert things and things <= THINGS and stuff and stuff <= STUFF
    labels = {label for each in predictions for label in np.unique(each.semantic).tolist()}
    assert labels & STUFF and labels - STUFF == {255}


def test_stuff_in_the_panoptic_map_is_stuff_in_the_semantic_one(
    narrow_model: Any, make_image: MakeImage
) -> None:
    (prediction,) = narrow_model.predict([make_image(60, 80)])
    of_stuff = [each for each in prediction.panoptic.segments if not each.isthing]
    assert of_stuff
    for segment in of_stuff:
        here = prediction.panoptic.ids == segment.id
        assert set(prediction.semantic[here].tolist()) == {segment.label}


def test_classes_of_both_branches_follow_isthing(narrow_model: Any) -> None:
    assert narrow_model.roi_heads.box_predictor.cls_score.out_features == len(THINGS) + 1
    assert narrow_model.sem_seg_head.predictor.out_channels == len(STUFF) + 1
    assert (set(narrow_model.things), set(narrow_model.stuff)) == (THINGS, STUFF)


def test_a_stuff_class_is_the_category_it_was_built_for(
    narrow_model: Any, make_image: MakeImage
) -> None:
    predictor = narrow_model.sem_seg_head.predictor
    before = predictor.bias.detach().clone()
    try:
        with torch.no_grad():
            predictor.bias[2] += 1e6  # The second stuff: category 2.
        (prediction,) = narrow_model.predict([make_image(60, 80)])
    finally:
        with torch.no_grad():
            predictor.bias.copy_(before)
    assert {s.label for s in prediction.panoptic.segments if not s.isthing} == {2}


def test_no_detection_is_an_ordinary_outcome(make_image: MakeImage) -> None:
    options = replace(NARROW, roi_heads=ROIHeadsOptions(score_thresh_test=2.0))
    model = create(ModelRequest(options=options, categories=CATEGORIES))
    for prediction in model.predict([make_image(40, 60), make_image(9, 9)]):
        assert len(prediction) == 0 and prediction.masks == []
        assert not any(segment.isthing for segment in prediction.panoptic.segments)


def test_things_alone_are_enough_but_stuff_is_not(make_image: MakeImage) -> None:
    things = tuple(category for category in CATEGORIES if category.isthing)
    model = create(ModelRequest(options=NARROW, categories=things))
    (prediction,) = model.predict([make_image(40, 60)])
    assert all(segment.isthing for segment in prediction.panoptic.segments)
    stuff = tuple(category for category in CATEGORIES if not category.isthing)
    with pytest.raises(UsageError, match="stuff alone"):
        create(ModelRequest(options=NARROW, categories=stuff))


def test_half_precision(narrow_model: Any, make_image: MakeImage) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (prediction,) = narrow_model.predict([make_image(60, 80)])
    assert len(prediction) > 0 and prediction.panoptic.ids.shape == (60, 80)

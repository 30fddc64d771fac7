from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

import benchsuite_plugins
from benchsuite.errors import InputError, UsageError
from benchsuite.options import parse_overrides, read_options
from benchsuite.protocols import DescribedModel, ModelRequest, StagedModel
from benchsuite.records import Image, Prediction
from benchsuite.specs import Category, load
from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions, create
from benchsuite_plugins.models.options import ROIHeadsOptions

MakeImage = Callable[[int, int], Image]


def assert_same(one: Prediction, other: Prediction, tolerance: float = 1e-3) -> None:
    """The same detections, in whatever order equal scores come."""
    assert len(one) == len(other) > 0
    order = [
        np.lexsort((prediction.boxes[:, 0].round(1), prediction.scores.round(4)))
        for prediction in (one, other)
    ]
    np.testing.assert_allclose(one.boxes[order[0]], other.boxes[order[1]], atol=tolerance)
    np.testing.assert_allclose(one.scores[order[0]], other.scores[order[1]], atol=1e-5)


def test_it_is_what_the_host_asks_for(lively_model: Any) -> None:
    assert isinstance(lively_model, StagedModel) and isinstance(lively_model, DescribedModel)
    described = lively_model.describe()
    assert described["parameters"] == sum(p.numel() for p in lively_model.parameters())
    assert described["preprocessing"]["resize"]["short_side"] == 96
    assert not lively_model.training


def test_registered_spec_leads_here() -> None:
    (spec,) = [s for s in benchsuite_plugins.benchsuite_models() if s.name == "mask_rcnn"]
    assert load(spec.factory) is create
    assert load(spec.options) is MaskRCNNOptions


def test_options_are_read_over_the_published_ones() -> None:
    values = parse_overrides(
        [
            "model.input.min_size_test=320",
            "model.rpn.post_nms_topk_test=256",
            "model.anchors.sizes=[[16], [32], [64], [128], [256]]",
            "model.resnet.depth=101",
        ]
    )["model"]
    options = read_options(MaskRCNNOptions, values, "model")
    assert options.input == replace(MaskRCNNOptions().input, min_size_test=320)
    assert options.rpn.post_nms_topk_test == 256 and options.rpn.nms_thresh == 0.7
    assert options.anchors.sizes[0] == (16,) and options.resnet.depth == 101
    hash(options)
    with pytest.raises(UsageError, match="min_size_test"):
        read_options(MaskRCNNOptions, {"input": {"min_size": 320}}, "model")
    with pytest.raises(UsageError, match="depth"):
        read_options(MaskRCNNOptions, {"resnet": {"depth": 77}}, "model")


def test_initial_weights_are_those_of_the_seed(narrow_request: ModelRequest) -> None:
    before = torch.random.get_rng_state()
    first, again = create(narrow_request).state_dict(), create(narrow_request).state_dict()
    other = create(replace(narrow_request, seed=1)).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    conv = "backbone.fpn_output3.weight"
    assert not torch.equal(first[conv], other[conv])


def test_initial_weights_have_detectron2s_spread() -> None:
    categories = tuple(Category(index, str(index)) for index in range(80))
    state = create(ModelRequest(categories=categories)).state_dict()
    for name, std in (
        ("backbone.bottom_up.res4.1.conv1.weight", (2 / 256) ** 0.5),  # 256 leave it, 1024 enter
        ("backbone.fpn_output4.weight", (1 / (256 * 9)) ** 0.5),
        ("proposal_generator.rpn_head.conv.weight", 0.01),
        ("roi_heads.box_head.fc2.weight", (1 / 1024) ** 0.5),
        ("roi_heads.box_predictor.cls_score.weight", 0.01),
        ("roi_heads.box_predictor.bbox_pred.weight", 0.001),
        ("roi_heads.mask_head.mask_fcn3.weight", (2 / (256 * 9)) ** 0.5),
        ("roi_heads.mask_head.predictor.weight", 0.001),
    ):
        assert state[name].std().item() == pytest.approx(std, rel=0.03), name
        bias = name.replace("weight", "bias")
        assert bias not in state or not state[bias].any(), bias


def test_stages_in_a_row_are_predict(lively_model: Any, make_image: MakeImage) -> None:
    images = [make_image(60, 80), make_image(50, 50)]
    staged = lively_model.postprocess(lively_model.forward(lively_model.preprocess(images)))
    for one, other in zip(staged, lively_model.predict(images), strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        assert one.masks == other.masks
    assert lively_model.predict([]) == []


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (1200, 90), (1, 5000), (300, 400)])
def test_images_of_any_size(
    lively_model: Any, make_image: MakeImage, size: tuple[int, int]
) -> None:
    (prediction,) = lively_model.predict([make_image(*size)])
    height, width = size
    assert len(prediction) > 0
    assert (prediction.boxes >= 0).all()
    assert (prediction.boxes[:, 2:] <= (width, height)).all()
    assert (prediction.boxes[:, 2:] > prediction.boxes[:, :2]).all()
    assert (np.diff(prediction.scores) <= 0).all()
    for mask in prediction.masks:
        assert mask.size == size
        assert coco_mask.decode({"size": list(size), "counts": mask.counts}).shape == size


def test_batch_equals_one_at_a_time_where_the_padding_is_the_same(
    lively_model: Any, make_image: MakeImage
) -> None:
    # 96 x 128, 96 x 123 and 96 x 107 are all padded to 96 x 128.
    images = [make_image(60, 80), make_image(70, 90), make_image(90, 100)]
    shapes = {tuple(lively_model.preprocess([image]).pixels.shape) for image in images}
    assert shapes == {(1, 3, 96, 128)}
    for together, image in zip(lively_model.predict(images), images, strict=True):
        (alone,) = lively_model.predict([image])
        assert_same(together, alone)


def test_odd_sizes_share_a_batch(lively_model: Any, make_image: MakeImage) -> None:
    images = [make_image(1, 1), make_image(33, 47), make_image(200, 30)]
    predictions = lively_model.predict(images)
    assert len(predictions) == 3
    for prediction, image in zip(predictions, images, strict=True):
        assert (prediction.boxes[:, 2:] <= (image.width, image.height)).all()
        assert all(mask.size == (image.height, image.width) for mask in prediction.masks)


def test_no_detection_is_an_ordinary_outcome(
    narrow_request: ModelRequest, make_image: MakeImage
) -> None:
    options = replace(narrow_request.options, roi_heads=ROIHeadsOptions(score_thresh_test=2.0))
    model = create(replace(narrow_request, options=options))
    first, second = model.predict([make_image(40, 60), make_image(9, 9)])
    assert len(first) == len(second) == 0 and first.masks == [] and first.labels.shape == (0,)


def test_weights_that_are_not_finite_give_no_detections(
    narrow_request: ModelRequest, make_image: MakeImage
) -> None:
    model = create(narrow_request)
    with torch.no_grad():
        model.backbone.fpn_output3.bias[0] = torch.nan
        model.roi_heads.box_predictor.cls_score.bias[1] = torch.inf
    (prediction,) = model.predict([make_image(40, 60)])
    assert len(prediction) == 0


def test_weights_are_loaded(
    narrow_request: ModelRequest, lively_model: Any, make_image: MakeImage, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"model": lively_model.state_dict()}, path)
    model = create(replace(narrow_request, weights=path))
    image = make_image(60, 80)
    np.testing.assert_array_equal(
        model.predict([image])[0].boxes, lively_model.predict([image])[0].boxes
    )
    with pytest.raises(InputError, match=r"box_predictor\.cls_score\.weight"):
        create(replace(narrow_request, weights=path, categories=narrow_request.categories[:3]))


def test_model_without_categories_is_refused() -> None:
    with pytest.raises(UsageError, match="categories"):
        create(ModelRequest())


def test_half_precision_and_channels_last(lively_model: Any, make_image: MakeImage) -> None:
    image = make_image(60, 80)
    (full,) = lively_model.predict([image])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (half,) = lively_model.predict([image])
    assert abs(half.scores[0] - full.scores[0]) < 0.05
    lively_model.to(memory_format=torch.channels_last)
    try:
        assert_same(lively_model.predict([image])[0], full)
    finally:
        lively_model.to(memory_format=torch.contiguous_format)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import benchsuite_plugins
from benchsuite.columns.person_keypoints import PERSON_KEYPOINTS
from benchsuite.errors import UsageError
from benchsuite.protocols import ModelRequest, StagedModel
from benchsuite.records import Image
from benchsuite.specs import Category, KeypointLayout, load
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.keypoint_head import KeypointHead, KeypointHeadOptions
from benchsuite_plugins.models.keypoint_rcnn import KeypointRCNNOptions, build, create
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    ResNetOptions,
    ROIHeadsOptions,
    RPNOptions,
)
from benchsuite_plugins.models.postprocess import detections_to_predictions

MakeImage = Callable[[int, int], Image]
StateDict = Callable[[str], tuple[dict[str, list[int]], set[str]]]

NARROW = KeypointRCNNOptions(
    input=InputOptions(min_size_test=96, max_size_test=160),
    resnet=ResNetOptions(stem_out_channels=8, res2_out_channels=32, width_per_group=8),
    fpn=FPNOptions(out_channels=16),
    box_head=BoxHeadOptions(fc_dim=32),
    keypoint_head=KeypointHeadOptions(conv_dims=(16, 8)),
    rpn=RPNOptions(pre_nms_topk_test=100, post_nms_topk_test=40),
    roi_heads=ROIHeadsOptions(score_thresh_test=0.0, detections_per_image=20),
)
THREE = KeypointLayout(names=("head", "hand", "foot"), sigmas=(0.1, 0.1, 0.1))
PERSON = (Category(1, "person"),)
X101 = ResNetOptions(depth=101, num_groups=32, width_per_group=8, stride_in_1x1=False)


@pytest.fixture(scope="module")
def narrow_model() -> Any:
    return create(ModelRequest(options=NARROW, categories=PERSON, keypoints=THREE))


def test_registered_spec_leads_here() -> None:
    (spec,) = [s for s in benchsuite_plugins.benchsuite_models() if s.name == "keypoint_rcnn"]
    assert load(spec.factory) is create
    assert load(spec.options) is KeypointRCNNOptions


@pytest.mark.parametrize(
    ("config", "resnet"),
    [
        ("keypoint_rcnn_R_50_FPN_1x", ResNetOptions()),
        ("keypoint_rcnn_R_50_FPN_3x", ResNetOptions()),
        ("keypoint_rcnn_R_101_FPN_3x", ResNetOptions(depth=101)),
        ("keypoint_rcnn_X_101_32x8d_FPN_3x", X101),
    ],
)
def test_names_and_shapes_are_the_published_ones(
    published_state_dict: StateDict, config: str, resnet: ResNetOptions
) -> None:
    shapes, parameters = published_state_dict(f"COCO-Keypoints/{config}.yaml")
    with torch.device("meta"):
        model = build(KeypointRCNNOptions(resnet=resnet), num_classes=1, num_keypoints=17)
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == shapes
    assert {name for name, _ in model.named_parameters()} == parameters


def test_settings_are_the_published_ones(
    published_settings: Callable[[str], dict[str, Any]],
) -> None:
    settings = published_settings("COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x.yaml")
    options, keypoint = KeypointRCNNOptions(), settings["keypoint"]
    with torch.device("meta"):
        model = build(options, settings["roi_heads"]["num_classes"], keypoint["num_keypoints"])
    pooler = model.roi_heads.keypoint_pooler
    assert pooler.resolution == keypoint["pooler"]["resolution"]
    assert pooler.sampling_ratio == keypoint["pooler"]["sampling_ratio"]
    assert pooler.scales == keypoint["pooler"]["scales"] and keypoint["pooler"]["aligned"]
    assert options.rpn.post_nms_topk_test == settings["rpn"]["post_nms_topk"]["test"]
    assert options.rpn.pre_nms_topk_test == settings["rpn"]["pre_nms_topk"]["test"]
    assert options.rpn.nms_thresh == settings["rpn"]["nms_thresh"]
    for name in ("score_thresh_test", "nms_thresh_test", "detections_per_image"):
        assert getattr(options.roi_heads, name) == settings["box"][name]
    for name in ("format", "min_size_test", "max_size_test"):
        assert getattr(options.input, name) == settings["input"][name]
    trained = [p for n, p in model.named_parameters() if "res2" not in n and "stem" not in n]
    assert sum(parameter.numel() for parameter in trained) == settings["trainable_numel"]


def test_number_of_keypoints_is_the_datasets_or_stated() -> None:
    stated = replace(NARROW, keypoint_head=replace(NARROW.keypoint_head, num_keypoints=17))
    for options, keypoints, count in (
        (NARROW, THREE, 3),
        (NARROW, PERSON_KEYPOINTS, 17),
        (stated, None, 17),
        (stated, PERSON_KEYPOINTS, 17),
    ):
        model = create(ModelRequest(options=options, categories=PERSON, keypoints=keypoints))
        assert model.roi_heads.keypoint_head.score_lowres.out_channels == count
    with pytest.raises(UsageError, match="num_keypoints=17"):
        create(ModelRequest(options=NARROW, categories=PERSON))
    with pytest.raises(UsageError, match=r"3 keypoints; .*num_keypoints=3"):
        create(ModelRequest(options=stated, categories=PERSON, keypoints=THREE))


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (1200, 90), (300, 400)])
def test_images_of_any_size(
    narrow_model: Any, make_image: MakeImage, size: tuple[int, int]
) -> None:
    assert isinstance(narrow_model, StagedModel)
    (prediction,) = narrow_model.predict([make_image(*size)])
    assert len(prediction) > 0 and prediction.masks is None
    assert prediction.keypoints.shape == (len(prediction), 3, 3)
    x, y, score = np.moveaxis(prediction.keypoints, -1, 0)
    assert np.isfinite(score).all() and (score >= 0).all()
    # The middle of a pixel lies in its box, but for boxes of less than a network pixel.
    pixel = max(size) / 96 + 1
    assert (x > prediction.boxes[:, :1] - pixel).all() and (
        x < prediction.boxes[:, 2:3] + pixel
    ).all()
    assert (y > prediction.boxes[:, 1:2] - pixel).all() and (
        y < prediction.boxes[:, 3:] + pixel
    ).all()


def test_odd_sizes_share_a_batch(narrow_model: Any, make_image: MakeImage) -> None:
    images = [make_image(1, 1), make_image(33, 47), make_image(200, 30)]
    for prediction in narrow_model.predict(images):
        assert prediction.keypoints.shape == (len(prediction), 3, 3)


def test_no_detection_is_an_ordinary_outcome(make_image: MakeImage) -> None:
    options = replace(NARROW, roi_heads=ROIHeadsOptions(score_thresh_test=2.0))
    model = create(ModelRequest(options=options, categories=PERSON, keypoints=THREE))
    for prediction in model.predict([make_image(40, 60), make_image(9, 9)]):
        assert prediction.keypoints.shape == (0, 3, 3) or len(prediction) == 0


def test_keypoints_are_scaled_with_their_boxes_and_dropped_with_them() -> None:
    detections = Detections(
        boxes=torch.tensor([[2.0, 2, 6, 6], [3, 3, 3, 9], [0, 0, 4, 8]]),
        scores=torch.tensor([0.9, 0.8, 0.7]),
        labels=torch.tensor([0, 0, 0]),
        image_index=torch.tensor([0, 0, 1]),
        keypoints=torch.tensor([[[3.0, 4, 0.5]], [[1, 1, 0.1]], [[2, 3, 1.5]]]),
    )
    sizes = torch.tensor([[10.0, 20], [10, 20]])
    first, second = detections_to_predictions(
        detections, sizes, torch.tensor([[30.0, 40], [5, 20]])
    )
    assert first.keypoints.tolist() == [[[6, 12, 0.5]]]
    assert second.keypoints.tolist() == [[[2, 1.5, 1.5]]]


def test_half_precision(narrow_model: Any, make_image: MakeImage) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (prediction,) = narrow_model.predict([make_image(60, 80)])
    assert np.isfinite(prediction.keypoints).all() and len(prediction) > 0


def test_head_compiles_without_graph_breaks_and_exports() -> None:
    head = KeypointHead(8, 3, KeypointHeadOptions(conv_dims=(8,))).eval()
    regions = torch.randn((4, 8, 14, 14))
    expected = head(regions)
    assert expected.shape == (4, 3, 56, 56)
    compiled = torch.compile(head, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(regions), expected)
    count = torch.export.Dim("regions", min=1, max=1000)
    exported = torch.export.export(head, (regions,), dynamic_shapes=({0: count},)).module()
    torch.testing.assert_close(exported(regions[:2]), expected[:2])

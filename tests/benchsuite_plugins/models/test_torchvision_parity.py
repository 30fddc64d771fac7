"""torchvision's detectors and ours, from the same weights, say the same of the same images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from torch import nn
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from benchsuite.records import Image, Prediction
from benchsuite_plugins.checkpoints import load_state
from benchsuite_plugins.checkpoints.torchvision_names import from_torchvision
from benchsuite_plugins.models import (
    torchvision_faster_rcnn,
    torchvision_keypoint_rcnn,
    torchvision_mask_rcnn,
    torchvision_retinanet,
)
from benchsuite_plugins.models.dense_options import RetinaNetHeadOptions
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    MaskHeadOptions,
    ResNetOptions,
    RPNOptions,
)
from benchsuite_plugins.models.torchvision_input import TorchvisionInputOptions

MakeImage = Callable[[int, int], Image]

INPUT = TorchvisionInputOptions(min_size_test=96, max_size_test=160)
NARROWED: dict[str, Any] = {
    "min_size": 96,
    "max_size": 160,
    "weights": None,
    "weights_backbone": None,
}
POOLING: dict[str, Any] = {"pooler_type": "ROIAlign", "pooler_sampling_ratio": 2}
V2: dict[str, Any] = {
    "input": INPUT,
    "resnet": ResNetOptions(norm="BN", stride_in_1x1=False),
    "fpn": FPNOptions(norm="BN"),
    "rpn": RPNOptions(min_size=1e-3, conv_dims=(-1, -1)),
    "box_head": BoxHeadOptions(num_conv=4, num_fc=1, norm="BN", **POOLING),
}
SIZES = [(60, 80), (33, 47), (300, 40)]
# One image speaks for the others, and a batch of two detectors for those of all.
ALL = pytest.mark.full
BATCHED = ("fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn")


@dataclass(frozen=True)
class Case:
    """A model of torchvision, ours, and how far labels of the two lie apart."""

    theirs: Callable[[], nn.Module]
    ours: Callable[[], nn.Module]
    label_offset: int = 1


def frozen_faster_rcnn() -> nn.Module:
    """As the first weights are loaded: frozen batch norms that add nothing to the variance."""
    backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None)
    for module in backbone.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0
    return detection.FasterRCNN(backbone, num_classes=6, min_size=96, max_size=160)


CASES = {
    "fasterrcnn_resnet50_fpn": Case(
        lambda: detection.fasterrcnn_resnet50_fpn(num_classes=6, **NARROWED),
        lambda: torchvision_faster_rcnn.build(
            torchvision_faster_rcnn.TorchvisionFasterRCNNOptions(input=INPUT), 5
        ),
    ),
    "fasterrcnn_resnet50_fpn with frozen norms": Case(
        frozen_faster_rcnn,
        lambda: torchvision_faster_rcnn.build(
            torchvision_faster_rcnn.TorchvisionFasterRCNNOptions(input=INPUT, frozen_norm_eps=0), 5
        ),
    ),
    "fasterrcnn_resnet50_fpn_v2": Case(
        lambda: detection.fasterrcnn_resnet50_fpn_v2(num_classes=6, **NARROWED),
        lambda: torchvision_faster_rcnn.build(
            torchvision_faster_rcnn.TorchvisionFasterRCNNOptions(**V2), 5
        ),
    ),
    "maskrcnn_resnet50_fpn": Case(
        lambda: detection.maskrcnn_resnet50_fpn(num_classes=6, **NARROWED),
        lambda: torchvision_mask_rcnn.build(
            torchvision_mask_rcnn.TorchvisionMaskRCNNOptions(input=INPUT), 5
        ),
    ),
    "maskrcnn_resnet50_fpn_v2": Case(
        lambda: detection.maskrcnn_resnet50_fpn_v2(num_classes=6, **NARROWED),
        lambda: torchvision_mask_rcnn.build(
            torchvision_mask_rcnn.TorchvisionMaskRCNNOptions(
                **V2, mask_head=MaskHeadOptions(norm="BN", **POOLING)
            ),
            5,
        ),
    ),
    "retinanet_resnet50_fpn": Case(
        lambda: detection.retinanet_resnet50_fpn(num_classes=6, **NARROWED),
        lambda: torchvision_retinanet.build(
            torchvision_retinanet.TorchvisionRetinaNetOptions(input=INPUT), 6
        ),
        label_offset=0,
    ),
    "retinanet_resnet50_fpn_v2": Case(
        lambda: detection.retinanet_resnet50_fpn_v2(num_classes=6, **NARROWED),
        lambda: torchvision_retinanet.build(
            torchvision_retinanet.TorchvisionRetinaNetOptions(
                input=INPUT,
                resnet=ResNetOptions(
                    norm="BN", stride_in_1x1=False, out_features=("res3", "res4", "res5")
                ),
                p6_from="res5",
                retinanet=RetinaNetHeadOptions(norm="GN", detections_per_image=300),
            ),
            6,
        ),
        label_offset=0,
    ),
    "keypointrcnn_resnet50_fpn": Case(
        lambda: detection.keypointrcnn_resnet50_fpn(num_classes=3, num_keypoints=5, **NARROWED),
        lambda: torchvision_keypoint_rcnn.build(
            torchvision_keypoint_rcnn.TorchvisionKeypointRCNNOptions(input=INPUT), 2, 5
        ),
    ),
}


PREDICTORS = (
    ("rpn.head.cls_logits", 0.0, 2.0),
    ("rpn.head.bbox_pred", 0.0, 0.3),
    ("roi_heads.box_predictor.cls_score", 0.0, 1.5),
    ("roi_heads.box_predictor.bbox_pred", 0.0, 1.0),
    ("roi_heads.mask_predictor.mask_fcn_logits", 0.0, 2.0),
    ("roi_heads.keypoint_predictor.kps_score_lowres", 0.0, 2.0),
    ("head.classification_head.cls_logits", -4.0, 1.5),
    ("head.regression_head.bbox_reg", 0.0, 0.3),
)
"""Layers whose outputs decide, in the order they are computed, with the mean and the spread that
their outputs shall have."""


def case_names(also: tuple[str, ...]) -> list[Any]:
    """All, marked ``full`` but for those named."""
    return [name if name in also else pytest.param(name, marks=ALL) for name in CASES]


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> tuple[nn.Module, Any, Case]:
    """Both models, with the same weights."""
    case = CASES[request.param]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = case.theirs().eval()
        enliven(theirs)
        ours = case.ours().eval()
    load_state(ours, from_torchvision(theirs.state_dict()), request.param)
    return theirs, ours, case


@torch.no_grad()
def enliven(model: nn.Module) -> None:
    """Statistics that mean something, and predictors that do not say the same of everything."""
    layers = dict(model.named_modules())
    for module in layers.values():
        if isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.uniform_(0.4, 0.8)
            module.bias.normal_(0, 0.1)
    noise = nn.functional.interpolate(torch.rand(1, 3, 9, 9), (60, 80), mode="bilinear")[0]
    for name, mean, spread in PREDICTORS:
        if name in layers:
            standardize(model, layers[name], mean, spread, noise)


def standardize(
    model: nn.Module, layer: Any, mean: float, spread: float, image: torch.Tensor
) -> None:
    """Give every channel that the layer puts out on the image a mean and a spread."""
    outputs: list[torch.Tensor] = []
    handle = layer.register_forward_hook(
        lambda module, inputs, output: outputs.append(output.transpose(0, 1).flatten(1))
    )
    model([image])
    handle.remove()
    values = torch.cat(outputs, dim=1)
    factor = spread / values.std(dim=1)
    # Axis 0 of the weights counts outputs, but that of a deconvolution's, where axis 1 does.
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    shape = [-1 if each == axis else 1 for each in range(layer.weight.ndim)]
    layer.weight.mul_(factor.view(shape))
    layer.bias.sub_(values.mean(dim=1)).mul_(factor).add_(mean)


@torch.no_grad()
def both(pair: tuple[nn.Module, Any, Case], images: list[Image]) -> list[tuple[Any, Prediction]]:
    theirs, ours, _ = pair
    tensors = [torch.tensor(image.pixels).permute(2, 0, 1) / 255 for image in images]
    return list(zip(theirs(tensors), ours.predict(images), strict=True))


def match(result: dict[str, torch.Tensor], prediction: Prediction, case: Case) -> list[int]:
    """Of each of torchvision's detections, the row of ours that is it."""
    assert len(prediction) == len(result["boxes"]) > 10
    labels = result["labels"].numpy() - case.label_offset
    boxes, scores = result["boxes"].numpy(), result["scores"].numpy()
    far = np.abs(boxes[:, None] - prediction.boxes).max(axis=2)
    far = far + 1e6 * (labels[:, None] != prediction.labels)
    far = far + np.abs(scores[:, None] - prediction.scores)
    rows = far.argmin(axis=1)
    assert len(set(rows)) == len(rows)
    np.testing.assert_array_equal(prediction.labels[rows], labels)
    np.testing.assert_allclose(prediction.boxes[rows], boxes, atol=1e-3, rtol=0)
    np.testing.assert_allclose(prediction.scores[rows], scores, atol=1e-4, rtol=0)
    return list(rows)


@pytest.mark.parametrize("pair", CASES, indirect=True)
@pytest.mark.parametrize(
    "size", [SIZES[0], *(pytest.param(size, marks=ALL) for size in SIZES[1:])], ids=str
)
def test_one_image(
    pair: tuple[nn.Module, Any, Case], make_image: MakeImage, size: tuple[int, int]
) -> None:
    ((result, prediction),) = both(pair, [make_image(*size)])
    rows = match(result, prediction, pair[2])
    assert len(result["labels"].unique()) > 1 and np.ptp(prediction.scores) > 0.2
    if "masks" in result:
        check_masks(result["masks"], prediction, rows)
    if "keypoints" in result:
        check_keypoints(result, prediction, rows)


@pytest.mark.parametrize("pair", case_names(BATCHED), indirect=True)
def test_a_batch(pair: tuple[nn.Module, Any, Case], make_image: MakeImage) -> None:
    for result, prediction in both(pair, [make_image(*size) for size in SIZES[:2]]):
        match(result, prediction, pair[2])


def check_masks(masks: torch.Tensor, prediction: Prediction, rows: list[int]) -> None:
    """Pixel by pixel, but for those whose probability is one half."""
    for probability, row in zip(masks[:, 0].numpy(), rows, strict=True):
        rle = prediction.masks[row]
        found = coco_mask.decode({"size": list(rle.size), "counts": rle.counts}).astype(bool)
        sure = np.abs(probability - 0.5) > 1e-4
        np.testing.assert_array_equal(found[sure], (probability > 0.5)[sure])
    assert (masks > 0.5).any() and (masks.amax(dim=(1, 2, 3)) > 0.5).float().mean() > 0.2


def check_keypoints(
    result: dict[str, torch.Tensor], prediction: Prediction, rows: list[int]
) -> None:
    """Every score, and every position but for peaks that a second one is as high as."""
    found = prediction.keypoints[rows]
    np.testing.assert_allclose(found[..., 2], result["keypoints_scores"].numpy(), atol=1e-3)
    away = np.abs(found[..., :2] - result["keypoints"][..., :2].numpy()).max(axis=2)
    assert (away < 1e-3).mean() > 0.99
    assert np.ptp(found[..., 2]) > 1

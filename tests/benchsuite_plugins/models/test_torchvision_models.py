"""torchvision's detectors rebuilt: odd images, batches, half precision, compiled and exported.

What they compute is compared with torchvision's in ``test_torchvision_parity``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops.poolers import LevelMapper

import benchsuite_plugins
from benchsuite.protocols import DescribedModel, ModelRequest, StagedModel, TrainableModel
from benchsuite.records import Image
from benchsuite.specs import Category, load
from benchsuite_plugins.models.keypoint_head import KeypointHeadOptions
from benchsuite_plugins.models.options import (
    AnchorOptions,
    BoxHeadOptions,
    FPNOptions,
    MaskHeadOptions,
    ResNetOptions,
)
from benchsuite_plugins.models.torchvision_anchor_generator import TorchvisionAnchorGenerator
from benchsuite_plugins.models.torchvision_input import TorchvisionInputOptions, scaled_size
from benchsuite_plugins.models.torchvision_masks import expanded_boxes
from benchsuite_plugins.models.torchvision_roi_levels import assign_torchvision_levels

MakeImage = Callable[[int, int], Image]

POOLING: dict[str, Any] = {"pooler_type": "ROIAlign", "pooler_sampling_ratio": 2}
NARROW: dict[str, Any] = {
    "box_head": BoxHeadOptions(fc_dim=32, **POOLING),
    "mask_head": MaskHeadOptions(conv_dim=16, **POOLING),
    "keypoint_head": KeypointHeadOptions(num_keypoints=3, conv_dims=(16, 16), **POOLING),
}
MODELS = [
    "torchvision_faster_rcnn",
    "torchvision_mask_rcnn",
    "torchvision_retinanet",
    "torchvision_keypoint_rcnn",
]


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    """Narrow, quick to run; random weights that find something."""
    (spec,) = [s for s in benchsuite_plugins.benchsuite_models() if s.name == request.param]
    assert spec.options is not None
    options = load(spec.options)()
    heads = {name: value for name, value in NARROW.items() if hasattr(options, name)}
    options = replace(
        options,
        input=TorchvisionInputOptions(min_size_test=96, max_size_test=160),
        resnet=replace(
            options.resnet, stem_out_channels=8, res2_out_channels=32, width_per_group=8
        ),
        fpn=replace(options.fpn, out_channels=16),
        **heads,
    )
    categories = tuple(Category(i, str(i)) for i in range(5))
    built = load(spec.factory)(ModelRequest(options=options, categories=categories, seed=3))
    with torch.no_grad():
        for name, buffer in built.named_buffers():
            if name.endswith("conv3.norm.weight"):
                buffer.fill_(0.3)
        if hasattr(built, "roi_heads"):
            built.proposal_generator.rpn_head.objectness_logits.weight.mul_(20)
            built.roi_heads.box_predictor.cls_score.weight.mul_(60)
        else:
            built.head.cls_score.weight.mul_(20)
            built.head.cls_score.bias.fill_(-2)
    return built


def test_it_is_what_the_host_asks_for(model: Any) -> None:
    assert isinstance(model, StagedModel) and isinstance(model, DescribedModel)
    # torchvision trains by other losses than ours do.
    assert not isinstance(model, TrainableModel)
    assert model.describe()["preprocessing"]["resize"]["short_side"] == 96


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (1200, 90), (1, 5000)])
def test_images_of_any_size(model: Any, make_image: MakeImage, size: tuple[int, int]) -> None:
    (prediction,) = model.predict([make_image(*size)])
    height, width = size
    assert len(prediction) > 0
    assert (prediction.boxes >= 0).all() and (prediction.boxes[:, 2:] <= (width, height)).all()
    assert (np.diff(prediction.scores) <= 0).all()
    if prediction.masks is not None:
        assert all(mask.size == size for mask in prediction.masks)
    if prediction.keypoints is not None:
        assert prediction.keypoints.shape == (len(prediction), 3, 3)
        assert np.isfinite(prediction.keypoints).all()


def test_batch_equals_one_at_a_time_where_the_padding_is_the_same(
    model: Any, make_image: MakeImage
) -> None:
    images = [make_image(60, 80), make_image(70, 90)]
    assert {tuple(model.preprocess([i]).pixels.shape) for i in images} == {(1, 3, 96, 128)}
    for together, image in zip(model.predict(images), images, strict=True):
        (alone,) = model.predict([image])
        np.testing.assert_allclose(np.sort(together.scores), np.sort(alone.scores), atol=1e-5)
    assert model.predict([]) == []


def test_no_detection_is_an_ordinary_outcome(
    model: Any, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = model.roi_heads if hasattr(model, "roi_heads") else model
    monkeypatch.setattr(owner, "options", replace(owner.options, score_thresh_test=2.0))
    first, second = model.predict([make_image(40, 60), make_image(9, 9)])
    assert len(first) == len(second) == 0


def test_half_precision(model: Any, make_image: MakeImage) -> None:
    image = make_image(60, 80)
    (full,) = model.predict([image])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (half,) = model.predict([image])
    assert abs(half.scores[0] - full.scores[0]) < 0.1


def test_exported_with_dynamic_sizes(model: Any) -> None:
    class Network(torch.nn.Module):
        """Pyramid, then the head that looks at every cell, then its anchors."""

        def __init__(self) -> None:
            super().__init__()
            self.backbone = model.backbone
            owner = getattr(model, "proposal_generator", model)
            self.names = owner.options.in_features
            self.head = owner.rpn_head if hasattr(owner, "rpn_head") else owner.head
            self.anchors = owner.anchor_generator

        def forward(self, pixels: torch.Tensor) -> Any:
            features = self.backbone(pixels)
            maps = [features[name] for name in self.names]
            return self.head(maps), self.anchors(maps).levels()

    network = Network().eval()
    batch = torch.export.Dim("batch", max=8)
    # A map of one cell a side is a case of its own to the exporter: the coarsest has two.
    high, wide = (torch.export.Dim(name, min=5, max=50) for name in ("high", "wide"))
    program = torch.export.export(
        network,
        (torch.zeros(2, 3, 192, 256),),
        dynamic_shapes=({0: batch, 2: 32 * high, 3: 32 * wide},),
    )
    pixels = torch.rand(1, 3, 320, 160)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(pixels), network(pixels))


def test_compiled_without_a_graph_break(model: Any) -> None:
    compiled = torch.compile(model.backbone, fullgraph=True, backend="eager")
    pixels = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(compiled(pixels), model.backbone(pixels))


@pytest.mark.parametrize("size", [(64, 96), (96, 160), (32, 32)])
def test_anchors_are_torchvisions(size: tuple[int, int]) -> None:
    sizes = ((32, 40, 50), (64, 80, 101), (128, 161, 203))
    ratios = (0.5, 1.0, 2.0)
    maps = [
        torch.zeros(1, 1, -(-size[0] // stride), -(-size[1] // stride)) for stride in (8, 32, 64)
    ]
    theirs = AnchorGenerator(sizes, (ratios,) * 3)(
        ImageList(torch.zeros(1, 3, *size), [size]), maps
    )
    ours = TorchvisionAnchorGenerator(AnchorOptions(sizes, (ratios,)), (8, 32, 64))(maps)
    torch.testing.assert_close(torch.cat(ours.levels()), theirs[0], rtol=0, atol=0)


def test_levels_are_torchvisions() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand((500, 2), generator=generator) * 300
    sides = torch.exp(torch.rand((500, 2), generator=generator) * 7)
    sides[:4] = torch.tensor([[112.0, 112], [224, 224], [448, 448], [1e-3, 1e-3]])
    boxes = torch.cat([corners, corners + sides], dim=1)
    theirs = LevelMapper(2, 5)([boxes])
    assert torch.equal(assign_torchvision_levels(boxes, 2, 4), theirs)
    assert theirs.unique().numel() == 4


def test_sizes_are_cut_off() -> None:
    assert scaled_size(480, 640, 800, 1333) == (800, 1066)
    assert scaled_size(333, 500, 800, 1333) == (800, 1201)
    assert scaled_size(300, 900, 800, 1333) == (444, 1333)
    assert scaled_size(1, 5000, 800, 1333) == (1, 1333)


def test_expanded_boxes_are_whole_pixels() -> None:
    # Two cells of border on eight: a box of 8 x 16 grows to 10 x 20 about its middle.
    found = expanded_boxes(torch.tensor([[10.6, 20.0, 18.6, 36.0]]), side=8)
    assert found.tolist() == [[9.0, 18.0, 20.0, 39.0]]


def test_options_of_the_second_versions_build() -> None:
    from benchsuite_plugins.models import torchvision_mask_rcnn

    options = torchvision_mask_rcnn.TorchvisionMaskRCNNOptions(
        resnet=ResNetOptions(norm="BN", stride_in_1x1=False), fpn=FPNOptions(norm="BN")
    )
    with torch.device("meta"):
        names = torchvision_mask_rcnn.build(options, 2).state_dict()
    assert "backbone.fpn_output3.norm.running_mean" in names

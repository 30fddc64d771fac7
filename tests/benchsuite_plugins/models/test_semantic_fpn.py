from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import benchsuite_plugins
from benchsuite.errors import UsageError
from benchsuite.options import read_options
from benchsuite.protocols import DescribedModel, ModelRequest, StagedModel
from benchsuite.records import Image
from benchsuite.specs import Category, load
from benchsuite_plugins.models.options import FPNOptions, InputOptions, ResNetOptions
from benchsuite_plugins.models.semantic_fpn import SemanticFPNOptions, build, create
from benchsuite_plugins.models.semantic_head import SemanticFPNHead, SemanticHeadOptions

MakeImage = Callable[[int, int], Image]
StateDict = Callable[[str], tuple[dict[str, list[int]], set[str]]]

NARROW = SemanticFPNOptions(
    input=InputOptions(min_size_test=96, max_size_test=160),
    resnet=ResNetOptions(stem_out_channels=8, res2_out_channels=32, width_per_group=8),
    fpn=FPNOptions(out_channels=16),
    sem_seg_head=SemanticHeadOptions(convs_dim=32),
)
CATEGORIES = tuple(Category(i + 1, str(i), isthing=i < 2) for i in range(5))
STRIDES = {"p2": 4, "p3": 8, "p4": 16, "p5": 32}


@pytest.fixture(scope="module")
def narrow_model() -> Any:
    return create(ModelRequest(options=NARROW, categories=CATEGORIES))


def test_registered_spec_leads_here() -> None:
    (spec,) = [s for s in benchsuite_plugins.benchsuite_models() if s.name == "semantic_fpn"]
    assert load(spec.factory) is create
    assert load(spec.options) is SemanticFPNOptions


def test_names_and_shapes_are_the_published_ones(published_state_dict: StateDict) -> None:
    shapes, parameters = published_state_dict("Misc/semantic_R_50_FPN_1x.yaml")
    with torch.device("meta"):
        model = build(SemanticFPNOptions(), num_classes=54)
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == shapes
    assert {name for name, _ in model.named_parameters()} == parameters


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (1200, 90), (1, 3000), (300, 400)])
def test_images_of_any_size(
    narrow_model: Any, make_image: MakeImage, size: tuple[int, int]
) -> None:
    assert isinstance(narrow_model, StagedModel) and isinstance(narrow_model, DescribedModel)
    (prediction,) = narrow_model.predict([make_image(*size)])
    assert prediction.semantic.shape == size
    assert prediction.semantic.max() < len(CATEGORIES)
    assert len(prediction) == 0 and prediction.masks is None and prediction.panoptic is None


def test_batch_equals_one_at_a_time_where_the_padding_is_the_same(
    narrow_model: Any, make_image: MakeImage
) -> None:
    images = [make_image(60, 80), make_image(70, 90)]
    for together, image in zip(narrow_model.predict(images), images, strict=True):
        (alone,) = narrow_model.predict([image])
        assert (together.semantic != alone.semantic).mean() < 1e-3
    assert narrow_model.predict([]) == []


def test_half_precision_and_channels_last(narrow_model: Any, make_image: MakeImage) -> None:
    image = make_image(60, 80)
    (full,) = narrow_model.predict([image])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (half,) = narrow_model.predict([image])
    assert (half.semantic != full.semantic).mean() < 0.1
    narrow_model.to(memory_format=torch.channels_last)
    try:
        (last,) = narrow_model.predict([image])
    finally:
        narrow_model.to(memory_format=torch.contiguous_format)
    assert (last.semantic != full.semantic).mean() < 1e-3


def test_a_level_takes_as_many_doublings_as_it_is_coarser() -> None:
    head = SemanticFPNHead(
        SemanticHeadOptions(convs_dim=32),
        num_classes=3,
        channels=dict.fromkeys(STRIDES, 8),
        strides=STRIDES,
    )
    doublings = {
        name: sum(isinstance(layer, nn.Upsample) for layer in head.get_submodule(name))
        for name in STRIDES
    }
    assert doublings == {"p2": 0, "p3": 1, "p4": 2, "p5": 3}
    assert not any(value.any() for name, value in head.state_dict().items() if "bias" in name)


def test_unknown_feature_is_told() -> None:
    options = read_options(
        SemanticFPNOptions, {"sem_seg_head": {"in_features": ["p2", "p9"]}}, "model"
    )
    with pytest.raises(UsageError, match="p9"), torch.device("meta"):
        build(options, num_classes=3)


class Network(nn.Module):
    """Backbone and head, from pixels to logits."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.sem_seg_head

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.backbone(pixels))
        return logits


def test_network_compiles_without_graph_breaks(narrow_model: Any) -> None:
    network = Network(narrow_model)
    pixels = torch.randn((1, 3, 64, 96), generator=torch.Generator().manual_seed(0))
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(pixels), network(pixels))


def test_network_exports_with_dynamic_shapes(narrow_model: Any) -> None:
    network = Network(narrow_model)
    batch = torch.export.Dim("batch", min=1, max=8)
    high, wide = (torch.export.Dim(name, min=3, max=40) for name in ("high", "wide"))
    pixels = torch.randn((2, 3, 128, 160), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exported = torch.export.export(
            network, (pixels,), dynamic_shapes=({0: batch, 2: 32 * high, 3: 32 * wide},)
        ).module()
        other = torch.randn((3, 3, 96, 128), generator=torch.Generator().manual_seed(1))
        expected = network(other)
        torch.testing.assert_close(
            exported(other), expected, atol=1e-5 * float(expected.abs().max()), rtol=0
        )
    assert np.isfinite(expected.numpy()).all()

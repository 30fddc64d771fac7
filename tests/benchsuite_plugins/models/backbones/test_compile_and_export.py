"""Each backbone compiled without graph breaks, exported with dynamic shapes, and in bf16."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from benchsuite_plugins.models.backbones.mvit import MViT
from benchsuite_plugins.models.backbones.options import (
    MViTOptions,
    RegNetOptions,
    SimpleFeaturePyramidOptions,
    SwinOptions,
    ViTOptions,
)
from benchsuite_plugins.models.backbones.regnet import RegNet
from benchsuite_plugins.models.backbones.simple_feature_pyramid import SimpleFeaturePyramid
from benchsuite_plugins.models.backbones.swin import SwinTransformer
from benchsuite_plugins.models.backbones.vit import ViT
from benchsuite_plugins.models.fpn import LastLevelMaxPool


def simple_feature_pyramid() -> SimpleFeaturePyramid:
    options = ViTOptions(
        img_size=128, embed_dim=24, depth=2, num_heads=2, window_size=3, global_block_indexes=(1,)
    )
    pyramid = SimpleFeaturePyramidOptions(out_channels=8)
    return SimpleFeaturePyramid(ViT(options), pyramid, LastLevelMaxPool())


BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "vit": simple_feature_pyramid,
    "swin": lambda: SwinTransformer(SwinOptions(8, (2, 1), (1, 2), window_size=5)),
    "mvit": lambda: MViT(
        MViTOptions(img_size=128, embed_dim=8, last_block_indexes=(0, 2, 3), adaptive_window_size=8)
    ),
    "regnet": lambda: RegNet(RegNetOptions(8, 5, 16.0, 16, 2.2, 16, se_ratio=0.25, norm="BN")),
}


# Two that differ most speak for the others: windows that shift, and convolutions.
TRACED = [
    name if name in ("swin", "regnet") else pytest.param(name, marks=pytest.mark.full)
    for name in BACKBONES
]


@pytest.fixture
def backbone(request: pytest.FixtureRequest, liven: Callable[[nn.Module], None]) -> nn.Module:
    torch.manual_seed(0)
    network = BACKBONES[request.param]().eval()
    liven(network)
    return network


@pytest.mark.parametrize("backbone", TRACED, indirect=True)
def test_compiles_without_graph_breaks(backbone: nn.Module) -> None:
    torch.compiler.reset()
    compiled = torch.compile(backbone, fullgraph=True, dynamic=True, backend="eager")
    with torch.no_grad():
        for shape in ((1, 3, 96, 128), (2, 3, 160, 96)):
            images = torch.randn(shape)
            for name, feature in compiled(images).items():
                torch.testing.assert_close(feature, backbone(images)[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("backbone", TRACED, indirect=True)
def test_exports_with_dynamic_shapes(backbone: nn.Module) -> None:
    """The example has two windows or more along each side of every map, and so must all images that
    the program is then run on."""
    batch, rows, columns = (torch.export.Dim(name) for name in ("batch", "rows", "columns"))
    exported = torch.export.export(
        backbone,
        (torch.randn(2, 3, 160, 224),),
        dynamic_shapes=({0: batch, 2: 32 * rows, 3: 32 * columns},),
    ).module()
    with torch.no_grad():
        # Among them maps that windows of 3, 5 and 8 fit, and maps that they do not.
        for shape in ((1, 3, 320, 96), (3, 3, 128, 480), (1, 3, 192, 352)):
            images = torch.randn(shape)
            expected = backbone(images)
            for name, feature in exported(images).items():
                torch.testing.assert_close(feature, expected[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("backbone", BACKBONES, indirect=True)
def test_runs_in_bf16_autocast_and_channels_last(backbone: nn.Module) -> None:
    images = torch.randn(2, 3, 96, 128)
    with torch.no_grad():
        expected = backbone(images)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = backbone(images)
        backbone = backbone.to(memory_format=torch.channels_last)
        strided = backbone(images.to(memory_format=torch.channels_last))
    for name, feature in outputs.items():
        assert (feature - expected[name]).square().mean() < 1e-3 * expected[name].square().mean()
        torch.testing.assert_close(strided[name], expected[name], atol=1e-4, rtol=1e-4)

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchsuite.errors import UsageError
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool, LastLevelP6P7
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.frozen_batch_norm import FrozenBatchNorm2d, freeze
from benchsuite_plugins.models.options import FPNOptions, ResNetOptions
from benchsuite_plugins.models.resnet import ResNet

NARROW = ResNetOptions(stem_out_channels=4, res2_out_channels=16, width_per_group=4)


def test_frozen_batch_norm_against_float64() -> None:
    norm = FrozenBatchNorm2d(3)
    generator = torch.Generator().manual_seed(0)
    for buffer in norm.buffers():
        buffer.copy_(torch.rand(3, generator=generator) + 0.5)
    x = torch.randn((2, 3, 4, 5), generator=generator)
    weight, bias, mean, var = (
        getattr(norm, name).double().view(3, 1, 1)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    expected = (x.double() - mean) / (var + 1e-5).sqrt() * weight + bias
    torch.testing.assert_close(norm(x).double(), expected, rtol=1e-5, atol=1e-6)
    assert not list(norm.parameters())


def test_convolution_normalises_before_it_activates() -> None:
    conv = Conv2d(2, 3, 1, norm="FrozenBN", activation=F.relu_)
    assert conv.bias is None
    conv.norm.bias.fill_(-1e9)
    assert (conv(torch.randn(1, 2, 4, 4)) == 0).all()
    assert Conv2d(2, 3, 1).bias is not None


def test_each_output_has_its_stride_and_channels() -> None:
    net = ResNet(NARROW).eval()
    with torch.no_grad():
        outputs = net(torch.randn(1, 3, 64, 96))
    assert {name: tuple(x.shape[1:]) for name, x in outputs.items()} == {
        "res2": (16, 16, 24),
        "res3": (32, 8, 12),
        "res4": (64, 4, 6),
        "res5": (128, 2, 3),
    }
    assert net.strides == {"res2": 4, "res3": 8, "res4": 16, "res5": 32}
    assert net.channels == {"res2": 16, "res3": 32, "res4": 64, "res5": 128}


def test_only_the_stages_that_are_needed_are_built() -> None:
    net = ResNet(replace(NARROW, out_features=("res4",)))
    assert not hasattr(net, "res5")
    assert list(net(torch.zeros(1, 3, 32, 32))) == ["res4"]


def test_dilated_res5_keeps_the_stride_of_res4() -> None:
    net = ResNet(replace(NARROW, res5_dilation=2, out_features=("res5",)))
    assert net.strides == {"res5": 16}
    assert net(torch.zeros(1, 3, 64, 64))["res5"].shape[-1] == 4
    assert all(block.conv2.dilation == (2, 2) for block in net.res5)


@pytest.mark.parametrize("in_1x1", [True, False])
def test_the_stride_sits_on_the_convolution_asked_for(in_1x1: bool) -> None:
    block = ResNet(replace(NARROW, stride_in_1x1=in_1x1)).res3[0]
    strides = [block.conv1.stride, block.conv2.stride]
    assert strides == [(2, 2), (1, 1)] if in_1x1 else [(1, 1), (2, 2)]


def test_resnext_widths() -> None:
    with torch.device("meta"):
        net = ResNet(ResNetOptions(depth=101, num_groups=32, width_per_group=8))
    assert net.res2[0].conv2.weight.shape == (256, 8, 3, 3)
    assert net.res5[0].conv2.weight.shape == (2048, 64, 3, 3)
    assert [len(net.get_submodule(stage)) for stage in net.stages] == [3, 4, 23, 3]


@pytest.mark.parametrize("fuse_type", ["sum", "avg"])
def test_pyramid_adds_the_level_above(fuse_type: str) -> None:
    options = FPNOptions(out_channels=8, fuse_type=fuse_type)
    fpn = FPN(ResNet(NARROW), options, LastLevelMaxPool())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        bottom_up, levels = fpn.bottom_up(x), fpn(x)
        top = fpn.fpn_lateral5(bottom_up["res5"])
        merged = fpn.fpn_lateral4(bottom_up["res4"])
        merged = merged + top.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        expected = fpn.fpn_output4(merged / 2 if fuse_type == "avg" else merged)
    assert list(levels) == ["p2", "p3", "p4", "p5", "p6"] == list(fpn.strides)
    torch.testing.assert_close(levels["p4"], expected)
    torch.testing.assert_close(levels["p6"], levels["p5"][:, :, ::2, ::2])
    assert fpn.size_divisibility == 32 and fpn.strides["p6"] == 64


def test_unknown_features_are_named() -> None:
    with pytest.raises(UsageError, match="res9"):
        ResNet(replace(NARROW, out_features=("res9",)))
    with pytest.raises(UsageError, match=r"fpn\.in_features"):
        FPN(ResNet(replace(NARROW, out_features=("res5",))), FPNOptions(), LastLevelMaxPool())


def test_network_part_exports_with_dynamic_shapes() -> None:
    fpn = FPN(ResNet(NARROW), FPNOptions(out_channels=8), LastLevelMaxPool()).eval()
    batch = torch.export.Dim("batch", min=1, max=8)
    height, width = (torch.export.Dim(name, min=3, max=40) for name in ("height", "width"))
    exported = torch.export.export(
        fpn,
        (torch.randn(2, 3, 128, 160),),
        dynamic_shapes=({0: batch, 2: 32 * height, 3: 32 * width},),
    )
    x = torch.randn(1, 3, 96, 224)
    for name, level in exported.module()(x).items():
        torch.testing.assert_close(level, fpn(x)[name])


@pytest.mark.parametrize(("source", "channels"), [("res5", 128), ("p5", 8)])
def test_p6_and_p7_are_made_of_what_they_are_told(source: str, channels: int) -> None:
    options = FPNOptions(in_features=("res3", "res4", "res5"), out_channels=8)
    fpn = FPN(ResNet(NARROW), options, LastLevelP6P7(channels, 8, source))
    assert fpn.strides == {"p3": 8, "p4": 16, "p5": 32, "p6": 64, "p7": 128}
    pixels = torch.randn(1, 3, 160, 96)
    with torch.no_grad():
        levels, bottom_up = fpn(pixels), fpn.bottom_up(pixels)
        p6 = fpn.top_block.p6({**bottom_up, **levels}[source])
        assert (p6 < 0).any()
        torch.testing.assert_close(levels["p6"], p6)
        torch.testing.assert_close(levels["p7"], fpn.top_block.p7(p6.clamp(min=0)))
    assert levels["p6"].shape == (1, 8, 3, 2) and levels["p7"].shape == (1, 8, 2, 1)


def test_a_top_block_on_a_map_that_there_is_not() -> None:
    options = FPNOptions(in_features=("res3", "res4"), out_channels=8)
    with pytest.raises(UsageError, match="p5"):
        FPN(ResNet(NARROW), options, LastLevelP6P7(8, 8, "p5"))


@pytest.mark.parametrize(("freeze_at", "frozen"), [(0, ()), (1, ("stem",)), (2, ("stem", "res2"))])
def test_the_first_stages_are_taken_out_of_training(
    freeze_at: Literal[0, 1, 2], frozen: tuple[str, ...]
) -> None:
    net = ResNet(replace(NARROW, norm="BN", freeze_at=freeze_at))
    for name, parameter in net.named_parameters():
        assert parameter.requires_grad == (name.partition(".")[0] not in frozen), name
    for name, module in net.named_modules():
        if name.endswith("norm"):
            expected = FrozenBatchNorm2d if name.partition(".")[0] in frozen else nn.BatchNorm2d
            assert type(module) is expected, name
    trained = ResNet(replace(NARROW, norm="BN", freeze_at=0))
    assert net.state_dict().keys() == trained.state_dict().keys()


def test_a_frozen_normalisation_keeps_its_values() -> None:
    conv = Conv2d(2, 3, 1, norm="BN")
    conv.norm.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    conv.norm.eps = 0.25
    expected = conv.eval()(torch.ones(1, 2, 1, 1))
    freeze(conv)
    torch.testing.assert_close(conv.train()(torch.ones(1, 2, 1, 1)), expected)
    assert not conv.weight.requires_grad

"""Packed layers against torch's own, on their outputs and on what they leave alone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_plugins.models.bottleneck import BottleneckBlock
from benchsuite_plugins.models.execution.exact_group_norm import make_group_norms_exact
from benchsuite_plugins.models.execution.folding import fold_batch_norms
from benchsuite_plugins.models.execution.packed_layers import (
    PackedConvolution,
    available,
)
from benchsuite_plugins.models.execution.packing import pack
from benchsuite_plugins.models.layers.adding import add_convolution
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.deform_conv import DeformConv2d

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no oneDNN")

LAYERS = {
    "3x3": (lambda: nn.Conv2d(8, 16, 3, padding=1), (2, 8, 9, 7)),
    "strided": (lambda: nn.Conv2d(8, 16, 3, stride=2, padding=1), (1, 8, 10, 11)),
    "dilated": (lambda: nn.Conv2d(8, 8, 3, padding=2, dilation=2), (1, 8, 9, 9)),
    "grouped": (lambda: nn.Conv2d(8, 8, 3, padding=1, groups=4), (1, 8, 9, 9)),
    "without bias": (lambda: nn.Conv2d(3, 16, 7, stride=2, padding=3, bias=False), (1, 3, 33, 31)),
    "one pixel": (lambda: nn.Conv2d(8, 16, 1), (1, 8, 1, 1)),
    "no images": (lambda: nn.Conv2d(8, 16, 3), (0, 8, 9, 9)),
    "doubling": (lambda: nn.ConvTranspose2d(8, 6, 2, stride=2), (3, 8, 5, 4)),
    "overlapping": (lambda: nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1), (3, 8, 5, 4)),
    "no regions": (lambda: nn.ConvTranspose2d(8, 6, 2, stride=2), (0, 8, 5, 4)),
    "linear": (lambda: nn.Linear(10, 7), (2, 3, 10)),
    "linear without bias": (lambda: nn.Linear(10, 7, bias=False), (4, 10)),
    "linear of nothing": (lambda: nn.Linear(10, 7), (0, 10)),
    "activated": (lambda: Conv2d(8, 16, 3, activation=F.relu_), (1, 8, 9, 9)),
    "normalised": (lambda: Conv2d(8, 32, 3, norm="GN", activation=F.relu_), (1, 8, 9, 9)),
}


@pytest.mark.parametrize("name", LAYERS)
@torch.inference_mode()
def test_packed_layers_compute_the_same(name: str) -> None:
    make, shape = LAYERS[name]
    torch.manual_seed(0)
    layer = make()
    reference = copy.deepcopy(layer).double()
    x = torch.randn(shape)
    state = {key: value.clone() for key, value in layer.state_dict().items()}
    pack(nn.Sequential(layer), torch.float32)
    before = x.clone()
    torch.testing.assert_close(layer(x).double(), reference(x.double()), rtol=1e-5, atol=1e-5)
    assert torch.equal(x, before)
    for key, value in layer.state_dict().items():
        assert torch.equal(value, state[key])


@torch.inference_mode()
def test_any_layout_is_read() -> None:
    conv = nn.Conv2d(8, 16, 3)
    packed = PackedConvolution(conv, torch.float32, relu=False)
    x = torch.randn(2, 9, 8, 11).permute(0, 2, 3, 1)[:, :, ::2]
    torch.testing.assert_close(packed(x), conv(x))
    assert packed(x).is_contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def test_half_precision_is_rounded_once() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 32, 3, padding=1)
    x = torch.randn(1, 64, 20, 20)
    wanted = conv(x)
    pack(nn.Sequential(conv), torch.bfloat16)
    found = conv(x)
    assert found.dtype == torch.bfloat16
    assert (found.float() - wanted).norm() < 0.01 * wanted.norm()


@torch.inference_mode()
def test_a_relu_behind_a_convolution_is_joined_to_it() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.Sigmoid(), nn.ReLU()
    )
    x = torch.randn(1, 4, 8, 8)
    wanted = layers(x)
    pack(layers, torch.float32)
    assert [type(each).__name__ for each in layers] == [
        "Conv2d",
        "Identity",
        "Conv2d",
        "Sigmoid",
        "ReLU",
    ]
    torch.testing.assert_close(layers(x), wanted)


@pytest.mark.parametrize("relu", [False, True])
@torch.inference_mode()
def test_a_convolution_is_added_in_one_pass(relu: bool) -> None:
    torch.manual_seed(0)
    conv = Conv2d(8, 16, 1)
    total, x = torch.randn(1, 16, 5, 6), torch.randn(1, 8, 5, 6)
    wanted = total + conv(x)
    wanted = wanted.relu() if relu else wanted
    torch.testing.assert_close(add_convolution(total.clone(), conv, x, relu=relu), wanted)
    pack(conv, torch.float32)
    channels_last = total.to(memory_format=torch.channels_last)
    torch.testing.assert_close(add_convolution(channels_last, conv, x, relu=relu), wanted)


def block(in_channels: int) -> BottleneckBlock:
    torch.manual_seed(0)
    return BottleneckBlock(
        in_channels,
        32,
        8,
        stride=1,
        stride_in_1x1=True,
        num_groups=1,
        dilation=1,
        norm="FrozenBN",
    ).requires_grad_(False)


@pytest.mark.parametrize("in_channels", [16, 32])
@torch.inference_mode()
def test_a_block_is_the_same_function(in_channels: int) -> None:
    layers = nn.Sequential(block(in_channels), block(32))
    x = torch.randn(1, in_channels, 6, 7)
    wanted = layers(x)
    fold_batch_norms(layers)
    pack(layers, torch.float32)
    torch.testing.assert_close(layers(x.clone()), wanted, rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_deformable_convolutions_keep_their_own_way() -> None:
    conv = DeformConv2d(4, 8, 3, padding=1)
    x, offset = torch.randn(1, 4, 6, 6), torch.randn(1, 18, 6, 6)
    wanted = conv(x, offset)
    pack(nn.Sequential(conv), torch.float32)
    assert torch.equal(conv(x, offset), wanted)


@torch.inference_mode()
def test_group_norms_are_exact_channels_last() -> None:
    torch.manual_seed(0)
    norm = nn.GroupNorm(4, 8)
    x = (torch.randn(2, 8, 30, 30) + 300).to(memory_format=torch.channels_last)
    wanted: Tensor = copy.deepcopy(norm).double()(x.double())
    make_group_norms_exact(norm)
    found = norm(x)
    assert (found.double() - wanted).abs().max() < 2e-3
    assert found.is_contiguous(memory_format=torch.channels_last)

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
import torch
from torch import nn

from benchsuite.errors import UsageError
from benchsuite_plugins.models.backbones.options import RegNetOptions
from benchsuite_plugins.models.backbones.regnet import RegNet, SqueezeExcitation, stage_widths
from benchsuite_plugins.models.layers.frozen_batch_norm import FrozenBatchNorm2d

REGNET_Y = RegNetOptions(depth=22, w_a=31.41, w_m=2.24, group_width=64, se_ratio=0.25)
SMALL = RegNetOptions(8, 10, 12.0, 16, 2.2, 16, se_ratio=0.25, norm="BN")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # Tables 5 and 6 of the paper.
        (RegNetOptions(), [(80, 2), (240, 5), (560, 14), (1360, 2)]),
        (REGNET_Y, [(128, 2), (192, 6), (512, 12), (1088, 2)]),
        # A width of 16 is less than a group of 40: it is one group.
        (replace(SMALL, group_width=40), [(16, 1), (32, 3), (80, 5), (160, 1)]),
    ],
)
def test_widths_and_depths_of_stages(
    options: RegNetOptions, expected: list[tuple[int, int]]
) -> None:
    assert stage_widths(options) == expected


def test_squeeze_and_excitation() -> None:
    torch.manual_seed(0)
    squeeze = SqueezeExcitation(4, 2)
    x = torch.randn(2, 4, 3, 5)
    mean = x.mean((2, 3))
    first, second = squeeze.f_ex[0], squeeze.f_ex[2]
    hidden = (mean @ first.weight[:, :, 0, 0].T + first.bias).clamp(min=0)
    scale = torch.sigmoid(hidden @ second.weight[:, :, 0, 0].T + second.bias)
    torch.testing.assert_close(squeeze(x), x * scale[:, :, None, None])


def test_width_inside_squeeze_and_excitation_follows_the_block_s_input() -> None:
    regnet = RegNet(SMALL)
    assert regnet.s1.b1.f.se.f_ex[0].out_channels == 8 * 0.25
    assert regnet.s2.b1.f.se.f_ex[0].out_channels == 16 * 0.25
    assert regnet.s2.b2.f.se.f_ex[0].out_channels == 32 * 0.25
    assert RegNet(replace(SMALL, se_ratio=0.0)).s1.b1.f.se is None


@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 47), (64, 96)])
def test_maps_are_rounded_up(height: int, width: int) -> None:
    regnet = RegNet(SMALL).eval()
    with torch.no_grad():
        outputs = regnet(torch.randn(2, 3, height, width))
    assert regnet.strides == {"s1": 4, "s2": 8, "s3": 16, "s4": 32}
    for name, feature in outputs.items():
        stride = regnet.strides[name]
        assert feature.shape == (
            2,
            regnet.channels[name],
            -(-height // stride),
            -(-width // stride),
        )


def test_frozen_stages_have_no_gradients_and_constant_statistics() -> None:
    regnet = RegNet(replace(SMALL, freeze_at=2)).train()
    frozen = (regnet.stem, regnet.s1)
    norms = [m for part in frozen for m in part.modules() if isinstance(m, FrozenBatchNorm2d)]
    assert len(norms) == 1 + 4
    assert not any(p.requires_grad for part in frozen for p in part.parameters())
    assert all(p.requires_grad for p in regnet.s2.parameters())
    assert not any(isinstance(m, FrozenBatchNorm2d) for m in regnet.s2.modules())


def test_initial_values() -> None:
    torch.manual_seed(0)
    regnet = RegNet(RegNetOptions(depth=13))
    for layer in regnet.modules():
        if isinstance(layer, nn.Conv2d):
            # By all outputs, though a group has but some of them.
            std = sqrt(2 / (layer.kernel_size[0] ** 2 * layer.out_channels))
            assert layer.weight.std().item() == pytest.approx(std, rel=0.1)


def test_no_normalisation() -> None:
    with pytest.raises(UsageError, match=r"regnet\.norm is empty; give one of FrozenBN, BN"):
        RegNet(replace(SMALL, norm=""))

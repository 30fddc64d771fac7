from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import deform_conv2d

from benchsuite.errors import UsageError
from benchsuite_plugins.models.deformable_bottleneck import DeformableBottleneckBlock
from benchsuite_plugins.models.layers.deform_conv import DeformConv2d

POINTS = 9


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_without_offsets_it_is_a_convolution() -> None:
    conv = DeformConv2d(8, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False)
    x = random(2, 8, 11, 9)
    expected = F.conv2d(x, conv.weight, stride=2, padding=2, dilation=2, groups=2)
    offset = torch.zeros((2, 2 * POINTS, *expected.shape[2:]))
    torch.testing.assert_close(conv(x, offset), expected)


def test_offsets_are_y_then_x_in_cells() -> None:
    conv = DeformConv2d(3, 4, 3, padding=1, bias=False)
    x = random(1, 3, 12, 10)
    offset = torch.zeros((1, 2 * POINTS, 12, 10))
    offset[:, 0::2], offset[:, 1::2] = 2.0, -1.0
    moved = F.pad(x, (1, 0, 0, 2))[..., 2:, :10]  # what lies two down and one to the left
    expected = F.conv2d(moved, conv.weight, padding=1)
    # Beyond the border the convolution pads what was moved, not what was there.
    torch.testing.assert_close(conv(x, offset)[..., 1:9, 2:9], expected[..., 1:9, 2:9])


def test_between_cells_it_interpolates_and_outside_is_zero() -> None:
    conv = DeformConv2d(1, 1, 1, bias=False)
    with torch.no_grad():
        conv.weight.fill_(1)
    x = torch.tensor([[[[1.0, 3.0], [5.0, 9.0]]]])
    offset = torch.zeros((1, 2, 2, 2))
    offset[0, :, 0, 0] = torch.tensor([0.5, 0.25])
    offset[0, :, 1, 1] = torch.tensor([0.5, 0.0])
    offset[0, :, 0, 1] = torch.tensor([-1.0, 0.0])
    assert conv(x, offset).flatten().tolist() == [
        (0.75 * 1 + 0.25 * 3 + 0.75 * 5 + 0.25 * 9) / 2,
        0.0,
        5.0,
        4.5,
    ]


def test_normalisation_and_activation_follow() -> None:
    conv = DeformConv2d(2, 3, 1, norm="FrozenBN", activation=F.relu_)
    assert conv.bias is None
    conv.norm.bias.fill_(-1e9)
    assert (conv(random(1, 2, 4, 4), torch.zeros((1, 2, 4, 4))) == 0).all()


def test_block_starts_as_one_that_moves_nothing() -> None:
    block = DeformableBottleneckBlock(
        8,
        16,
        4,
        stride=2,
        stride_in_1x1=False,
        num_groups=2,
        dilation=1,
        norm="FrozenBN",
    )
    x = random(1, 8, 9, 7)
    plain = F.conv2d(block.conv1(x), block.conv2.weight, stride=2, padding=1, groups=2)
    torch.testing.assert_close(block.middle(block.conv1(x)), F.relu(plain), rtol=1e-4, atol=1e-4)
    assert block(x).shape == (1, 16, 5, 4)


def test_coordinates_are_not_rounded_to_half_precision() -> None:
    conv = DeformConv2d(1, 1, 1, bias=False)
    with torch.no_grad():
        conv.weight.fill_(1)
    x = torch.arange(600.0).remainder(7).view(1, 1, 1, 600)
    offset = torch.zeros((1, 2, 1, 600))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = conv(x.bfloat16(), offset.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), x)


def test_each_group_of_channels_moves_on_its_own() -> None:
    conv = DeformConv2d(4, 2, 1, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, :2], conv.weight[1, 2:] = 1, 1
    x = random(1, 4, 6, 6)
    offset = torch.zeros((1, 2 * 2, 6, 6))
    offset[:, 2] = 1  # The second group reads one row down.
    first, second = conv(x, offset)[0]
    torch.testing.assert_close(first, x[0, :2].sum(dim=0))
    torch.testing.assert_close(second, F.pad(x[0, 2:].sum(dim=0), (0, 0, 0, 1))[1:])


@pytest.mark.parametrize("groups", [0, 3])
def test_groups_divide_the_channels(groups: int) -> None:
    rest = {"stride": 1, "stride_in_1x1": True, "num_groups": 1, "dilation": 1, "norm": "FrozenBN"}
    with pytest.raises(UsageError, match="deform_num_groups"):
        DeformableBottleneckBlock(8, 16, 4, deform_num_groups=groups, **rest)
    block = DeformableBottleneckBlock(8, 16, 4, deform_num_groups=2, **rest)
    assert block.conv2_offset.out_channels == 2 * 2 * POINTS
    assert block(random(1, 8, 5, 5)).shape == (1, 16, 5, 5)


def test_modulated_block_says_how_much_it_reads() -> None:
    rest = {"stride": 1, "stride_in_1x1": True, "num_groups": 1, "dilation": 1, "norm": "FrozenBN"}
    block = DeformableBottleneckBlock(8, 16, 4, deform_modulated=True, deform_num_groups=2, **rest)
    assert block.conv2_offset.out_channels == 2 * 3 * POINTS
    x = random(1, 4, 6, 7)
    plain = F.conv2d(x, block.conv2.weight, padding=1)
    # A mask's logit of 0 is a half.
    torch.testing.assert_close(block.middle(x), F.relu(plain / 2), rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        block.conv2_offset.weight.normal_(std=0.1)
        block.conv2_offset.bias.normal_()
    found = block.middle(x)
    # The published layout: y and x offsets are the first two thirds, masks the last.
    first, second, third = block.conv2_offset(x).chunk(3, dim=1)
    expected = deform_conv2d(
        x,
        torch.cat([first, second], dim=1),
        block.conv2.weight,
        padding=(1, 1),
        mask=third.sigmoid(),
    )
    torch.testing.assert_close(found, F.relu(expected), rtol=1e-4, atol=1e-5)

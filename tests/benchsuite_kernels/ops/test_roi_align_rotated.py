"""RoIAlign of rotated boxes against torchvision, ramps and turned images."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import roi_align as torchvision_roi_align

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.dispatch import serving
from benchsuite_kernels.ops.roi_align_rotated import reference, roi_align_rotated

SCALES = (1 / 4, 1 / 8)
ZERO = torch.zeros(1, dtype=torch.int64)


@pytest.fixture(params=["reference", "emulated"])
def implementation(request: pytest.FixtureRequest, implementation: str) -> str:
    return implementation


def pyramid(channels: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, channels, *size, generator=generator) for size in ((24, 32), (12, 16))]


def scattered_boxes(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Boxes of all sizes and angles, some partly or wholly outside a 96 x 128 image."""
    generator = torch.Generator().manual_seed(1)
    centre = torch.rand(count, 2, generator=generator) * torch.tensor([160.0, 120.0]) - 16
    size = torch.exp(torch.rand(count, 2, generator=generator) * 4)
    angle = torch.rand(count, 1, generator=generator) * 720 - 360
    index = torch.randint(0, 2, (2, count), generator=generator)
    return torch.cat([centre, size, angle], dim=1), index[0], index[1]


@pytest.mark.parametrize("ratio", [0, 2])
def test_a_box_that_is_not_turned_is_torchvisions(implementation: str, ratio: int) -> None:
    feature = pyramid()[0]
    boxes = torch.tensor([[60.0, 50, 44, 30, 0], [8, 90, 60, 33, 0], [300, 300, 9, 9, 0]])
    corners = torch.cat([boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2], 1)
    rois = torch.cat([torch.ones(3, 1), corners], dim=1)
    want = torchvision_roi_align(feature, rois, 5, 0.25, ratio, aligned=True)
    ones, zeros = torch.ones(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)
    got = roi_align_rotated([feature], boxes, ones, zeros, [0.25], 5, ratio)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_a_ramp_is_sampled_at_the_turned_bins_centres(implementation: str) -> None:
    x, y = torch.arange(40.0), torch.arange(30.0)
    ramp = (x + 100 * y[:, None])[None, None]
    box = torch.tensor([[20.5, 15.5, 12.0, 6.0, 30.0]])
    got = roi_align_rotated([ramp], box, ZERO, ZERO, [1.0], 2)
    # Counter-clockwise by 30 degrees: the right side of the box rises, so that y falls.
    cosine, sine = 3**0.5 / 2, 0.5
    want = [
        [20 + u * cosine + v * sine + 100 * (15 - u * sine + v * cosine) for u in (-3, 3)]
        for v in (-1.5, 1.5)
    ]
    torch.testing.assert_close(got[0, 0], torch.tensor(want), rtol=1e-5, atol=1e-3)


def test_a_quarter_turn_is_that_of_the_image(implementation: str) -> None:
    feature = torch.randn(1, 2, 20, 20, generator=torch.Generator().manual_seed(2))
    box = torch.tensor([[9.0, 12.0, 8.0, 5.0, 90.0]])
    got = roi_align_rotated([feature], box, ZERO, ZERO, [1.0], 4)
    # Turned clockwise, the box is upright; its centre, (8.5, 11.5) in the grid of feature centres,
    # goes to (19 - 11.5, 8.5).
    image = torch.rot90(feature, -1, (2, 3))
    upright = torch.tensor([[8.0, 9.0, 8.0, 5.0, 0.0]])
    want = roi_align_rotated([image], upright, ZERO, ZERO, [1.0], 4)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("size", "ratio"), [(1, 0), (4, 0), (3, 2)])
def test_values_and_gradients_are_within_rounding_of_float64(
    implementation: str, size: int, ratio: int, channels_last: bool
) -> None:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = [each.contiguous(memory_format=layout).requires_grad_() for each in pyramid()]
    wide = [each.detach().double().requires_grad_() for each in features]
    boxes, batch_index, levels = scattered_boxes(20)
    reset_served()
    pooled = roi_align_rotated(features, boxes, batch_index, levels, SCALES, size, ratio)
    want = roi_align_rotated(wide, boxes, batch_index, levels, SCALES, size, ratio)
    torch.testing.assert_close(pooled.double(), want, rtol=1e-4, atol=1e-4)
    weights = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(9))
    found = torch.autograd.grad((pooled * weights).sum(), features)
    expected = torch.autograd.grad((want * weights).sum(), wide)
    for mine, other in zip(found, expected, strict=True):
        assert mine.is_contiguous(memory_format=layout)
        torch.testing.assert_close(mine.double(), other, rtol=1e-4, atol=1e-4)
    assert implementation in served()["roi_align_rotated"]
    assert implementation in served()["roi_align_rotated_backward"]


def test_gradients_of_the_reference() -> None:
    features = [each.double()[:, :1, :6, :7].contiguous().requires_grad_() for each in pyramid()]
    boxes, batch_index, levels = scattered_boxes(3)

    def pool(*maps: torch.Tensor) -> torch.Tensor:
        return roi_align_rotated(maps, boxes.double(), batch_index, levels, SCALES, 2)

    assert torch.autograd.gradcheck(pool, features)
    assert torch.autograd.gradgradcheck(pool, features)


def test_boxes_that_read_nothing_give_zeros(implementation: str) -> None:
    nan, inf = float("nan"), float("inf")
    boxes = torch.tensor(
        [
            [50.0, 50, 0, 20, 10],
            [50, 50, -5, 20, 10],
            [50, 50, 20, 20, nan],
            [50, inf, 20, 20, 0],
            [900, 900, 20, 20, 45],
            [50, 50, 20, 20, 0],
            [50, 50, 20, 20, 0],
        ]
    )
    image = torch.tensor([0, 0, 0, 0, 0, 2, 0])
    level = torch.tensor([0, 0, 0, 0, 0, 0, -1])
    got = roi_align_rotated(pyramid(), boxes, image, level, SCALES, 3)
    assert torch.equal(got, torch.zeros(7, 3, 3, 3))


def test_nothing_in_nothing_out(implementation: str) -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert roi_align_rotated(pyramid(), torch.zeros(0, 5), none, none, SCALES, 7).shape == (
        0, 3, 7, 7,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_pooled_in_single(dtype: torch.dtype) -> None:
    features = [each.to(dtype) for each in pyramid()]
    arguments = (*scattered_boxes(6), SCALES, 4)
    with serving("emulated"):
        got = roi_align_rotated(features, *arguments)
    want = reference([each.float() for each in features], *arguments)
    torch.testing.assert_close(got.float(), want, rtol=1e-2, atol=1e-2)


def test_boxes_of_another_shape_are_refused(implementation: str) -> None:
    with pytest.raises(ValueError, match=r"not \(R, 5\)"):
        roi_align_rotated(pyramid(), torch.zeros(1, 4), ZERO, ZERO, SCALES, 7)

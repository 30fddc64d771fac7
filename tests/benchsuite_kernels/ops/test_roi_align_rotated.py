"""RoIAlign of rotated boxes against torchvision, ramps and turned images."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import roi_align as torchvision_roi_align

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.dispatch import native, serving
from benchsuite_kernels.ops.roi_align_rotated import roi_align_rotated

SCALES = (1 / 4, 1 / 8)
ZERO = torch.zeros(1, dtype=torch.int64)


@pytest.fixture
def extension() -> None:
    if native() is None:
        pytest.skip("the extension is not built")


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
    torch.testing.assert_close(pooled.double(), want, rtol=1e-5, atol=1e-5)
    weights = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(9))
    found = torch.autograd.grad((pooled * weights).sum(), features)
    expected = torch.autograd.grad((want * weights).sum(), wide)
    for mine, other in zip(found, expected, strict=True):
        assert mine.is_contiguous(memory_format=layout)
        torch.testing.assert_close(mine.double(), other, rtol=1e-5, atol=1e-5)
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


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("channels_last", [False, True])
def test_cpp_and_cuda_pool_the_same_bits(channels_last: bool) -> None:
    if problem := emulation_problem():
        pytest.skip(problem)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = [each.contiguous(memory_format=layout) for each in pyramid(channels=19)]
    arguments = (*scattered_boxes(12), SCALES, 3)
    with serving("emulated"):
        want = roi_align_rotated(features, *arguments)
    with serving("c++"):
        assert torch.equal(roi_align_rotated(features, *arguments), want)


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("channels_last", [False, True])
def test_cpp_does_not_depend_on_the_number_of_threads(channels_last: bool) -> None:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = [
        each.contiguous(memory_format=layout).requires_grad_() for each in pyramid(channels=70)
    ]
    arguments = (*scattered_boxes(40), SCALES, 3)
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            with serving("c++"):
                pooled = roi_align_rotated(features, *arguments)
                found.append([pooled, *torch.autograd.grad(pooled.square().sum(), features)])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_pooled_in_single(implementation: str, dtype: torch.dtype) -> None:
    features = [each.to(dtype) for each in pyramid()]
    arguments = (*scattered_boxes(6), SCALES, 4)
    got = roi_align_rotated(features, *arguments)
    want = roi_align_rotated([each.float() for each in features], *arguments)
    assert torch.equal(got, want.to(dtype))


def test_a_map_without_features_gives_zeros(implementation: str) -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4, 30]])
    got = roi_align_rotated([torch.zeros(1, 2, 0, 5)], boxes, ZERO, ZERO, [1.0], 2)
    assert torch.equal(got, torch.zeros(1, 2, 2, 2))


def test_boxes_of_another_shape_are_refused(implementation: str) -> None:
    with pytest.raises(ValueError, match=r"not \(R, 5\)"):
        roi_align_rotated(pyramid(), torch.zeros(1, 4), ZERO, ZERO, SCALES, 7)

"""RoIAlign against hand-computed values, torchvision and float64."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest
import torch

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, thread_order
from benchsuite_kernels.dispatch import native, serving
from benchsuite_kernels.ops import roi_align

module = import_module("benchsuite_kernels.ops.roi_align")
SCALES = (1 / 4, 1 / 8, 1 / 16)


@pytest.fixture(params=["c++", "emulated"])
def kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    """The implementations that are not the reference."""
    if request.param == "c++" and native() is None:
        pytest.skip("the extension is not built")
    if request.param == "emulated" and (problem := emulation_problem()):
        pytest.skip(problem)
    with serving(request.param):
        yield request.param


def pyramid(channels: int = 5, images: int = 2, height: int = 96, width: int = 128) -> list:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(images, channels, int(height * s), int(width * s), generator=generator)
        for s in SCALES
    ]


def scattered_boxes(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Boxes of all sizes, some partly or wholly outside a 96 x 128 image."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(count, 2, generator=generator) * torch.tensor([160.0, 120.0]) - 16
    size = torch.exp(torch.rand(count, 2, generator=generator) * 5)
    boxes = torch.cat([centre - size / 2, centre + size / 2], dim=1)
    batch_index = torch.randint(0, 2, (count,), generator=generator)
    levels = torch.randint(0, len(SCALES), (count,), generator=generator)
    return boxes, batch_index, levels


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("output_size", "sampling_ratio"), [(1, 0), (7, 0), (14, 0), (7, 2), (3, 5)]
)
@pytest.mark.parametrize("channels", [1, 3, 40])
def test_kernel_is_within_rounding_of_float64(
    kernel: str, channels: int, output_size: int, sampling_ratio: int, channels_last: bool
) -> None:
    features = pyramid(channels)
    boxes, batch_index, levels = scattered_boxes(60 if kernel == "c++" else 12)
    want = module.reference(
        [feature.double() for feature in features],
        boxes.double(),
        batch_index,
        levels,
        SCALES,
        output_size,
        sampling_ratio,
    )
    if channels_last:
        features = [feature.contiguous(memory_format=torch.channels_last) for feature in features]
    reset_served()
    got = roi_align(features, boxes, batch_index, levels, SCALES, output_size, sampling_ratio)
    assert served() == {"roi_align": kernel}
    assert got.is_contiguous()
    torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)


def test_a_ramp_is_sampled_at_the_bins_centres(implementation: str) -> None:
    # Bilinear interpolation reproduces a ramp, so a bin's mean is the ramp at its centre.
    x, y = torch.arange(32.0), torch.arange(24.0)
    ramp = (x + 100 * y[:, None])[None, None]
    box = torch.tensor([[10.0, 12.0, 66.0, 54.0]])
    zero = torch.zeros(1, dtype=torch.int64)
    got = roi_align([ramp], box, zero, zero, [0.25], 7)
    bins = (torch.arange(7) + 0.5) / 7
    at_x, at_y = 10 / 4 - 0.5 + bins * 56 / 4, 12 / 4 - 0.5 + bins * 42 / 4
    torch.testing.assert_close(got[0, 0], at_x + 100 * at_y[:, None], rtol=1e-5, atol=1e-4)


def test_samples_further_than_a_pixel_outside_count_zero(implementation: str) -> None:
    ones = torch.ones(1, 1, 4, 4)
    zero = torch.zeros(1, dtype=torch.int64)
    # In feature coordinates the box spans -2.5 to 5.5: samples at -2, -1, 0, ... 5, of which the
    # first and the last lie outside -1 to 4.
    got = roi_align([ones], torch.tensor([[-2.0, 0.5, 6.0, 4.5]]), zero, zero, [1.0], 4, 2)
    torch.testing.assert_close(got[0, 0], torch.tensor([0.5, 1.0, 1.0, 0.5]).expand(4, 4))


@pytest.mark.parametrize(
    "box",
    [
        (10.0, 10.0, 10.0, 30.0),
        (30.0, 10.0, 10.0, 30.0),
        (500.0, 500.0, 600.0, 600.0),
        (float("nan"), 0.0, 10.0, 10.0),
        (0.0, 0.0, float("inf"), 10.0),
    ],
)
def test_boxes_without_extent_or_outside_give_zeros(
    implementation: str, box: tuple[float, ...]
) -> None:
    zero = torch.zeros(1, dtype=torch.int64)
    got = roi_align(pyramid(), torch.tensor([box]), zero, zero, SCALES, 7)
    assert torch.equal(got, torch.zeros(1, 5, 7, 7))


def test_a_mirrored_box_with_fixed_sampling_is_mirrored(implementation: str) -> None:
    zero = torch.zeros(1, dtype=torch.int64)
    box = torch.tensor([[10.0, 20.0, 90.0, 70.0]])
    plain = roi_align(pyramid(), box, zero, zero, SCALES, 6, 2)
    mirrored = roi_align(pyramid(), box[:, [2, 1, 0, 3]], zero, zero, SCALES, 6, 2)
    torch.testing.assert_close(mirrored, plain.flip(3), rtol=1e-5, atol=1e-5)


def test_a_huge_box_stays_in_bounds(implementation: str) -> None:
    zero = torch.zeros(1, dtype=torch.int64)
    box = torch.tensor([[-3e3, -3e3, 3e3, 3e3]])
    got = roi_align(pyramid(1), box, zero, zero, SCALES, 3, 0)
    assert got.isfinite().all()
    assert got[0, 0, 1, 1] != 0


def test_no_boxes(implementation: str) -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert roi_align(pyramid(), torch.zeros(0, 4), none, none, SCALES, 7).shape == (0, 5, 7, 7)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    if native() is None:
        pytest.skip("the extension is not built")
    arguments = (pyramid(), *scattered_boxes(200), SCALES, 7)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = roi_align(*arguments)
        torch.set_num_threads(threads)
        assert torch.equal(roi_align(*arguments), alone)
    finally:
        torch.set_num_threads(before)


def test_inputs_need_not_be_contiguous(implementation: str) -> None:
    features = pyramid()
    boxes, batch_index, levels = scattered_boxes(30)
    want = roi_align(features, boxes, batch_index, levels, SCALES, 7)
    strided = [torch.stack([feature, -feature], dim=-1)[..., 0] for feature in features]
    apart = torch.stack([boxes, boxes], dim=1)[:, 0]
    got = roi_align(strided, apart, batch_index, levels, SCALES, 7)
    torch.testing.assert_close(got, want)


def test_gradients_of_the_reference() -> None:
    features = [feature.double().requires_grad_() for feature in pyramid(2, 1, 32, 48)]
    boxes, batch_index, levels = scattered_boxes(4)
    reset_served()

    def pool(*maps: torch.Tensor) -> torch.Tensor:
        return roi_align(maps, boxes, batch_index * 0, levels, SCALES, 2)

    assert torch.autograd.gradcheck(pool, features)
    assert torch.autograd.gradgradcheck(pool, features)
    assert served() == {"roi_align": "reference", "roi_align_backward": "reference"}


def gradients(
    features: list, boxes: torch.Tensor, *rest: object
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The pooled values, and the gradients of a weighted sum of them."""
    wanted = [feature.detach().requires_grad_() for feature in features]
    pooled = roi_align(wanted, boxes.to(features[0].dtype), *rest)
    weights = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(9))
    return pooled, list(torch.autograd.grad((pooled * weights).sum(), wanted))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("output_size", "sampling_ratio"), [(1, 0), (7, 0), (7, 2), (3, 5)])
@pytest.mark.parametrize("channels", [1, 3, 40])
def test_gradients_of_the_kernel_are_within_rounding_of_float64(
    kernel: str, channels: int, output_size: int, sampling_ratio: int, channels_last: bool
) -> None:
    features = pyramid(channels)
    boxes, batch_index, levels = scattered_boxes(60 if kernel == "c++" else 12)
    boxes[7, 2] = float("nan")
    boxes[9] = torch.tensor([30.0, 10.0, 30.0, 30.0])
    rest = (boxes, batch_index, levels, SCALES, output_size, sampling_ratio)
    _, want = gradients([feature.double() for feature in features], *rest)
    if channels_last:
        features = [feature.contiguous(memory_format=torch.channels_last) for feature in features]
    reset_served()
    pooled, got = gradients(features, *rest)
    assert served() == {"roi_align": kernel, "roi_align_backward": kernel}
    with torch.no_grad():
        assert torch.equal(pooled, roi_align(features, *rest))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for mine, other in zip(got, want, strict=True):
        assert mine.is_contiguous(memory_format=layout)
        torch.testing.assert_close(mine.double(), other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_number_of_threads_changes_no_gradient(channels_last: bool) -> None:
    if native() is None:
        pytest.skip("the extension is not built")
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = [feature.contiguous(memory_format=layout) for feature in pyramid(40)]
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(gradients(features, *scattered_boxes(200), SCALES, 7)[1])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(*pair) for pair in zip(found[0], other, strict=True))


def test_a_level_without_boxes_or_without_gradient(implementation: str) -> None:
    features = pyramid()
    features[1].requires_grad_()
    zero = torch.zeros(1, dtype=torch.int64)
    roi_align(features, torch.tensor([[4.0, 4, 50, 60]]), zero, zero, SCALES, 7).sum().backward()
    assert features[1].grad is not None and not features[1].grad.any()
    assert features[0].grad is None


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("far_apart", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_pooled_in_single(
    implementation: str, dtype: torch.dtype, far_apart: bool, channels_last: bool
) -> None:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = [feature.to(dtype).contiguous(memory_format=layout) for feature in pyramid(19)]
    features[0][0, 0, 0] *= 1e-5  # below half precision's normal numbers
    features[0][0, 1, 0] = float("inf")
    boxes, *rest = scattered_boxes(30)
    if far_apart:  # planes are read as they lie, where many boxes are read from a copy
        boxes = torch.tensor([[0.0, 0, 9, 7], [110, 80, 126, 93]])
        rest = [torch.zeros(2, dtype=torch.int64)] * 2
    single = roi_align([feature.float() for feature in features], boxes, *rest, SCALES, 7)
    wanted = [feature.requires_grad_() for feature in features]
    pooled = roi_align(wanted, boxes, *rest, SCALES, 7)
    torch.testing.assert_close(pooled, single.to(dtype), rtol=0, atol=0, equal_nan=True)
    found = torch.autograd.grad(pooled.sum(), wanted)
    assert all(gradient.dtype == dtype for gradient in found)


@pytest.mark.parametrize(
    ("name", "changed", "what"),
    [
        ("features", [], "0 feature levels"),
        ("features", [torch.zeros(2, 5, 8, 8), torch.zeros(2, 4, 4, 4)] * 2, "levels"),
        (
            "features",
            [torch.zeros(2, 5, 8, 8), torch.zeros(2, 4, 4, 4), torch.zeros(2, 5, 8, 8)],
            r"features\[1\]",
        ),
        ("boxes", torch.zeros(3, 5), "not \\(R, 4\\)"),
        ("levels", torch.zeros(2, dtype=torch.int64), "not \\(R, 4\\)"),
        ("output_size", 0, "output_size=0"),
        ("sampling_ratio", -1, "sampling_ratio=-1"),
    ],
)
def test_bad_input_is_refused(implementation: str, name: str, changed: object, what: str) -> None:
    arguments = {
        "features": pyramid(),
        "boxes": torch.zeros(3, 4),
        "batch_index": torch.zeros(3, dtype=torch.int64),
        "levels": torch.zeros(3, dtype=torch.int64),
        "scales": SCALES,
        "output_size": 7,
    }
    with pytest.raises(ValueError, match=what):
        roi_align(**arguments | {name: changed})


@pytest.mark.parametrize(
    ("name", "changed", "what"),
    [
        ("levels", torch.tensor([0, 3, 0]), r"levels\[1\] is 3, outside 0 to 2"),
        ("batch_index", torch.tensor([0, 0, -1]), r"batch_index\[2\] is -1, outside 0 to 1"),
    ],
)
def test_an_index_out_of_range_is_refused_or_gives_zeros(
    implementation: str, name: str, changed: torch.Tensor, what: str
) -> None:
    indices = {"batch_index": torch.zeros(3, dtype=torch.int64)} | {
        "levels": torch.zeros(3, dtype=torch.int64)
    }
    boxes = torch.tensor([[4.0, 4.0, 60.0, 60.0]]).expand(3, 4)
    call = {"features": pyramid(), "boxes": boxes, "scales": SCALES, "output_size": 7}
    if implementation != "emulated":
        with pytest.raises(ValueError, match=what):
            roi_align(**call | indices | {name: changed})
    else:
        pooled = roi_align(**call | indices | {name: changed})
        wrong = (changed < 0) | (changed > 2)
        assert torch.equal(pooled.flatten(1).any(1), ~wrong)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_cuda_source_pools_to_the_bit_as_the_cpu_kernel_in_every_order(
    dtype: torch.dtype, channels_last: bool
) -> None:
    if native() is None or emulation_problem():
        pytest.skip("the extension is not built, or there is no compiler")
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = [feature.to(dtype).contiguous(memory_format=layout) for feature in pyramid(70)]
    boxes, batch_index, levels = scattered_boxes(9)
    boxes[3, 2] = float("inf")
    rest = (boxes, batch_index, levels, SCALES, 7)
    with serving("c++"):
        want = roi_align(features, *rest)
        _, slopes = gradients(features, *rest)
    for order in ORDERS:
        with serving("emulated"), thread_order(order, seed=1):
            assert torch.equal(roi_align(features, *rest), want)
            for mine, other in zip(gradients(features, *rest)[1], slopes, strict=True):
                torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("count", [1, 3, 200])
def test_both_layouts_give_the_same_bits(kernel: str, count: int) -> None:
    # Few boxes are read from the planes as they lie, many from a copy with channels last.
    features = pyramid(35)
    boxes, *rest = scattered_boxes(count if kernel == "c++" else min(count, 9))
    last = [feature.contiguous(memory_format=torch.channels_last) for feature in features]
    pooled = roi_align(features, boxes, *rest, SCALES, 7)
    assert torch.equal(pooled, roi_align(last, boxes, *rest, SCALES, 7))


def test_torch_knows_the_operator(kernel: str) -> None:
    features = [feature.requires_grad_() for feature in pyramid(3)]
    arguments = (features, *scattered_boxes(5), list(SCALES), 3, 0)
    torch.library.opcheck(torch.ops.benchsuite.roi_align.default, arguments)


def test_bins_that_share_no_memory_in_a_block(kernel: str) -> None:
    # Boxes whose bins are far wider, or far narrower, than a feature.
    features = [torch.randn(1, 2, 200, 300, generator=torch.Generator().manual_seed(3))]
    boxes = torch.tensor(
        [[0.0, 0, 300, 200], [299, 199, 300.01, 200.01], [-50, -50, 400, 300], [5, 5, 5.001, 5.001]]
    )
    zero = torch.zeros(4, dtype=torch.int64)
    for size, ratio in ((1, 0), (2, 0), (14, 3), (1, 7)):
        want = module.reference(
            [features[0].double()], boxes.double(), zero, zero, [1.0], size, ratio
        )
        got = roi_align(features, boxes, zero, zero, [1.0], size, ratio)
        torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-4)

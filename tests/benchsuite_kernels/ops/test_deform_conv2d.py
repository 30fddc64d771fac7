"""Deformable convolution against torchvision's in float64, and against plain convolution."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from benchsuite_kernels.ops import deform_conv2d

# images, channels, outputs, groups, offset groups; kernel, stride, padding, dilation, size
SHAPES: dict[str, tuple[Any, ...]] = {
    "plain": (2, 6, 5, 1, 1, (3, 3), (1, 1), (1, 1), (1, 1), (7, 9)),
    "groups within offset groups": (1, 8, 8, 4, 2, (3, 3), (2, 1), (2, 0), (2, 1), (8, 7)),
    "offset groups within groups": (2, 12, 4, 2, 6, (1, 3), (1, 2), (0, 1), (1, 2), (5, 8)),
    "neither in the other": (1, 12, 3, 3, 2, (2, 2), (1, 1), (1, 0), (1, 1), (4, 5)),
    "one pixel": (1, 1, 1, 1, 1, (1, 1), (1, 1), (0, 0), (1, 1), (1, 1)),
    "many channels": (1, 67, 3, 1, 1, (3, 3), (3, 3), (1, 1), (1, 1), (4, 7)),
}


def inputs(name: str, dtype: torch.dtype = torch.float32) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors and steps; offsets reach beyond the border."""
    images, channels, outputs, groups, offset_groups, kernel, stride, padding, dilation, size = (
        SHAPES[name]
    )
    out = [
        (side + 2 * p - d * (k - 1) - 1) // s + 1
        for side, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    ]
    points = offset_groups * kernel[0] * kernel[1]
    generator = torch.Generator().manual_seed(len(name))

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(dtype).requires_grad_()

    tensors = {
        "x": random(images, channels, *size),
        "offset": (random(images, 2 * points, *out).detach() * 2.5).requires_grad_(),
        "mask": random(images, points, *out),
        "weight": random(outputs, channels // groups, *kernel),
        "bias": random(outputs),
    }
    return tensors, {"stride": stride, "padding": padding, "dilation": dilation}


def theirs(tensors: dict[str, Tensor], steps: dict[str, Any]) -> Tensor:
    order = ("x", "offset", "weight", "bias")
    return torchvision_deform_conv2d(
        *[tensors.get(name) for name in order], mask=tensors.get("mask"), **steps
    )


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("modulated", [True, False])
def test_values_and_gradients(
    implementation: str, name: str, layout: torch.memory_format, modulated: bool
) -> None:
    tensors, steps = inputs(name)
    tensors["x"] = tensors["x"].detach().contiguous(memory_format=layout).requires_grad_()
    if not modulated:
        del tensors["mask"], tensors["bias"]
    out = deform_conv2d(**tensors, **steps)
    exact = {key: value.detach().double().requires_grad_() for key, value in tensors.items()}
    wanted = theirs(exact, steps)
    assert out.dtype == torch.float32
    assert out.is_contiguous(memory_format=layout)
    torch.testing.assert_close(out.double(), wanted, rtol=1e-5, atol=1e-5)
    upstream = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad(out, list(tensors.values()), upstream)
    slopes = torch.autograd.grad(wanted, list(exact.values()), upstream.double())
    for key, ours, own in zip(tensors, found, slopes, strict=True):
        torch.testing.assert_close(ours.double(), own, rtol=1e-5, atol=5e-5, msg=key)


def test_rows_in_several_parts(implementation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchsuite_kernels.ops import deform_columns

    tensors, steps = inputs("plain")
    whole = deform_conv2d(**tensors, **steps)
    slopes = torch.autograd.grad(whole.square().sum(), list(tensors.values()))
    for kind in (deform_columns.CppColumns, deform_columns.CudaColumns):
        monkeypatch.setattr(kind, "bytes_at_once", 1)
    parts = deform_conv2d(**tensors, **steps)
    torch.testing.assert_close(parts, whole, rtol=1e-6, atol=1e-6)
    again = torch.autograd.grad(parts.square().sum(), list(tensors.values()))
    for one, other in zip(again, slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


def test_gradients_against_differences() -> None:
    tensors, steps = inputs("neither in the other", torch.float64)
    names = list(tensors)
    # Offsets that keep away from whole cells, where the slope jumps.
    with torch.no_grad():
        offset = tensors["offset"]
        offset.copy_(offset.floor() + 0.2 + 0.6 * (offset - offset.floor()))
    assert torch.autograd.gradcheck(
        lambda *values: deform_conv2d(**dict(zip(names, values, strict=True)), **steps),
        tuple(tensors.values()),
    )


def test_whole_offsets_move_the_input(implementation: str) -> None:
    x = torch.randn((1, 4, 6, 7), generator=torch.Generator().manual_seed(0))
    weight = torch.randn((5, 4, 3, 3), generator=torch.Generator().manual_seed(1))
    offset = torch.zeros((1, 18, 4, 5))
    torch.testing.assert_close(deform_conv2d(x, offset, weight), F.conv2d(x, weight))
    offset[:, 0::2], offset[:, 1::2] = 1.0, -2.0
    moved = F.pad(x, (2, -2, -1, 1))
    torch.testing.assert_close(deform_conv2d(x, offset, weight), F.conv2d(moved, weight))


def test_what_lies_outside_or_nowhere_reads_nothing(implementation: str) -> None:
    x = torch.ones((1, 2, 3, 3)).requires_grad_()
    weight = torch.ones((1, 2, 1, 1))
    offset = torch.zeros((1, 2, 3, 3))
    for at, value in enumerate((math.nan, math.inf, -math.inf, 1e30, -1e30, -1.0, 3.0, 0.5, 0.0)):
        offset[0, 1, at // 3, at % 3] = value - at % 3 if abs(value) == 1 else value
    offset.requires_grad_()
    out = deform_conv2d(x, offset, weight)
    assert out.flatten().tolist() == [0, 0, 0, 0, 0, 0, 0, 2, 2]
    of_x, of_offset = torch.autograd.grad(out.sum(), (x, offset))
    assert of_x.isfinite().all() and of_offset[0, :, 0].eq(0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(implementation: str, dtype: torch.dtype) -> None:
    tensors, steps = inputs("groups within offset groups", dtype)
    tensors["offset"] = tensors["offset"].detach().float().requires_grad_()
    out = deform_conv2d(**tensors, **steps)
    assert out.dtype == dtype
    exact = {key: value.detach().double().requires_grad_() for key, value in tensors.items()}
    wanted = theirs(exact, steps)
    torch.testing.assert_close(out.double(), wanted, rtol=0.03, atol=0.1)
    found = torch.autograd.grad(out.float().sum(), list(tensors.values()))
    slopes = torch.autograd.grad(wanted.sum(), list(exact.values()))
    for key, ours, own in zip(tensors, found, slopes, strict=True):
        assert ours.dtype == tensors[key].dtype
        torch.testing.assert_close(ours.double(), own, rtol=0.03, atol=0.15, msg=key)


def test_no_images(implementation: str) -> None:
    weight = torch.ones((5, 4, 3, 3), requires_grad=True)
    x = torch.zeros((0, 4, 6, 7), requires_grad=True)
    out = deform_conv2d(x, torch.zeros((0, 18, 4, 5)), weight)
    assert out.shape == (0, 5, 4, 5)
    out.sum().backward()
    assert weight.grad is not None and not weight.grad.any()


def test_the_number_of_threads_changes_no_gradient() -> None:
    tensors, steps = inputs("many channels")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = torch.autograd.grad(
            deform_conv2d(**tensors, **steps).sum(), (tensors["x"], tensors["offset"])
        )
        torch.set_num_threads(3)
        together = torch.autograd.grad(
            deform_conv2d(**tensors, **steps).sum(), (tensors["x"], tensors["offset"])
        )
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, alone, together))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (2, 7, 7, 9), "weight"),
        ("offset", (2, 18, 7, 8), "offset"),
        ("offset", (2, 9, 7, 9), "offset"),
        ("mask", (2, 9, 7, 8), "mask"),
        ("bias", (6,), "bias"),
        ("weight", (5, 0, 3, 3), "weight"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    tensors, steps = inputs("plain")
    with pytest.raises(ValueError, match=message):
        deform_conv2d(**tensors | {name: torch.zeros(shape)}, **steps)
    with pytest.raises(ValueError, match=r"torch\.float(32|64)"):
        deform_conv2d(**tensors | {name: tensors[name].double()}, **steps)
    with pytest.raises(ValueError, match="stride"):
        deform_conv2d(**tensors, **steps | {"stride": (0, 1)})


def test_it_can_be_traced() -> None:
    tensors, steps = inputs("neither in the other")
    arguments = [tensors[name] for name in ("x", "offset", "mask", "weight", "bias")]
    torch.library.opcheck(
        torch.ops.benchsuite.deform_conv2d.default, (*arguments, *map(list, steps.values()))
    )

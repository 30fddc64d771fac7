"""Bitmaps as regions see them, against torchvision's roi_align."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torchvision.ops import roi_align

from benchsuite_kernels.dispatch import serving
from benchsuite_kernels.ops import crop_packed_masks, pack_masks


def by_torchvision(mask: torch.Tensor, box: torch.Tensor, size: int) -> torch.Tensor:
    pixels = mask[None, None].float()
    return roi_align(pixels, [box[None]], size, aligned=True)[0, 0] >= 0.5


def masks_of(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Blobs and noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, 5, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")[:, 0]
    return smooth + 0.1 * torch.rand(count, height, width, generator=generator) > 0.55


def boxes_of(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Also beyond the image, and on whole and half pixels."""
    generator = torch.Generator().manual_seed(seed)
    corner = (torch.rand(count, 2, generator=generator) * 1.4 - 0.3) * torch.tensor([width, height])
    extent = torch.rand(count, 2, generator=generator) * torch.tensor([width, height])
    boxes = torch.cat([corner, corner + extent], dim=1)
    boxes[::3] = (boxes[::3] * 2).round() / 2
    return boxes


@pytest.mark.parametrize("size", [1, 7, 14, 28])
def test_cells_are_those_of_torchvision(implementation: str, size: int) -> None:
    masks, boxes = masks_of(4, 70, 90, size), boxes_of(40, 70, 90, size)
    index = torch.arange(40) % 4
    targets = crop_packed_masks(pack_masks(masks), torch.tensor([[70, 90]] * 4), index, boxes, size)
    assert targets.shape == (40, size, size) and targets.dtype == torch.bool
    for target, which, box in zip(targets, index.tolist(), boxes, strict=True):
        assert torch.equal(target, by_torchvision(masks[which], box, size))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(*[st.integers(-20, 60)] * 4),
    st.integers(1, 9),
    st.integers(0, 2**31),
)
def test_means_of_one_half_do_not_change_sides(
    implementation: str,
    shape: tuple[int, int],
    quarters: tuple[int, int, int, int],
    size: int,
    seed: int,
) -> None:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    x, y, width, height = (each / 4 for each in quarters)
    box = torch.tensor([[x, y, x + width, y + height]])
    targets = crop_packed_masks(
        pack_masks(mask[None]), torch.tensor([shape]), torch.tensor([0]), box, size
    )
    if width > 0 and height > 0:
        assert torch.equal(targets[0], by_torchvision(mask, box[0], size))
    else:
        assert not targets.any()


def test_masks_of_several_sizes_and_regions_of_none(implementation: str) -> None:
    first, second = masks_of(1, 40, 50)[0], masks_of(1, 9, 7)[0]
    bits = torch.zeros((3, 32), dtype=torch.int64)
    for row, mask in enumerate((first, second)):
        packed = pack_masks(mask[None])
        bits[row, : packed.shape[1]] = packed
    sizes = torch.tensor([[40, 50], [9, 7], [0, 5]])
    boxes = torch.tensor([[3.0, 4, 44, 29.5], [0, 0, 7, 9], [1, 1, 5, 5], [0, 0, 5, 5]])
    targets = crop_packed_masks(bits, sizes, torch.tensor([0, 1, -1, 2]), boxes, 7)
    assert torch.equal(targets[0], by_torchvision(first, boxes[0], 7))
    assert torch.equal(targets[1], by_torchvision(second, boxes[1], 7))
    assert not targets[2:].any()


@pytest.mark.parametrize(
    "box",
    [
        (5.0, 5.0, 5.0, 9.0),
        (9.0, 5.0, 5.0, 9.0),
        (float("nan"), 1.0, 5.0, 9.0),
        (0.0, 0.0, float("inf"), 9.0),
        (-3e38, 0.0, 3e38, 9.0),
        (1e6, 1e6, 1.0001e6, 1.0001e6),
    ],
)
def test_regions_without_extent_or_outside_see_nothing(
    implementation: str, box: tuple[float, ...]
) -> None:
    bits = pack_masks(torch.ones(1, 20, 30, dtype=torch.bool))
    size = torch.tensor([[20, 30]])
    assert not crop_packed_masks(bits, size, torch.tensor([0]), torch.tensor([box]), 7).any()


def test_nothing(implementation: str) -> None:
    none = torch.zeros(0, dtype=torch.int64)
    bits = torch.zeros((0, 5), dtype=torch.int64)
    sizes = torch.zeros((0, 2), dtype=torch.int64)
    assert crop_packed_masks(bits, sizes, none, torch.zeros(0, 4), 7).shape == (0, 7, 7)
    absent = torch.full((2,), -1)
    assert not crop_packed_masks(bits, sizes, absent, torch.ones(2, 4), 7).any()


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    bits, boxes = pack_masks(masks_of(1, 60, 60)), boxes_of(40, 60, 60)
    arguments = (bits, torch.tensor([[60, 60]]), torch.zeros(40, dtype=torch.int64), boxes, 14)
    before = torch.get_num_threads()
    with serving("c++"):
        try:
            torch.set_num_threads(1)
            alone = crop_packed_masks(*arguments)
            torch.set_num_threads(threads)
            assert torch.equal(crop_packed_masks(*arguments), alone)
        finally:
            torch.set_num_threads(before)


def test_bad_input_is_refused(implementation: str) -> None:
    bits, sizes = torch.zeros((1, 2), dtype=torch.int64), torch.tensor([[8, 9]])
    zero, box = torch.tensor([0]), torch.tensor([[0.0, 0, 5, 5]])
    with pytest.raises(ValueError, match="are not"):
        crop_packed_masks(bits, sizes, zero, box[0], 4)
    with pytest.raises(ValueError, match="are not"):
        crop_packed_masks(bits, sizes[:, :1], zero, box, 4)
    with pytest.raises(ValueError, match="size=0"):
        crop_packed_masks(bits, sizes, zero, box, 0)
    with pytest.raises(ValueError, match="float32"):
        crop_packed_masks(bits, sizes, zero, box.double(), 4)
    if implementation == "emulated":  # a device tells no error
        assert not crop_packed_masks(bits, sizes, zero + 1, box, 4).any()
        return
    with pytest.raises(ValueError, match="beyond the masks"):
        crop_packed_masks(bits, sizes, zero + 1, box, 4)
    with pytest.raises(ValueError, match=r"images of|more pixels"):
        crop_packed_masks(bits, sizes * 4, zero, box, 4)

"""Mask pasting against grid_sample and the formula in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.columns import rle
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, thread_order
from benchsuite_kernels.dispatch import native, serving
from benchsuite_kernels.ops import (
    packed_to_rle,
    paste_masks_to_packed,
    paste_masks_to_rle,
    unpack_masks,
)
from benchsuite_kernels.ops.packed_runs import rle_from_runs
from benchsuite_kernels.ops.paste_masks import paste_masks_runs


def paste(
    masks: torch.Tensor, boxes: torch.Tensor, height: int, width: int, threshold: float = 0.5
) -> list[bytes]:
    """Into one image."""
    image = torch.zeros(len(masks), dtype=torch.int64)
    return paste_masks_to_rle(masks, boxes, image, [(height, width)], threshold)


def blobs(count: int, side: int = 28, seed: int = 0) -> torch.Tensor:
    """Probabilities of ragged round masks."""
    generator = torch.Generator().manual_seed(seed)
    at = torch.linspace(-1, 1, side)
    radius = torch.hypot(at[:, None], at)
    noise = torch.randn(count, side, side, generator=generator)
    return torch.sigmoid(10 * (0.8 - radius) + 2 * noise)


def boxes_in(height: int, width: int, count: int, seed: int = 0) -> torch.Tensor:
    """Boxes of a pixel to the whole image, some reaching beyond it."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor([width, height]) ** torch.rand(count, 2, generator=generator)
    centre = torch.rand(count, 2, generator=generator) * torch.tensor([width, height])
    return torch.cat([centre - size / 2, centre + size / 2], dim=1)


def values(mask: np.ndarray, box: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pasted probabilities by the definition, in float64."""
    side = len(mask)
    padded = np.pad(mask.astype(np.float64), 1)

    def weights(start: float, stop: float, size: int) -> np.ndarray:
        at = (np.arange(size) + 0.5 - start) / (stop - start) * side + 0.5  # cell k's centre is k
        return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(side + 2)))

    return weights(box[1], box[3], height) @ padded @ weights(box[0], box[2], width).T


@pytest.mark.parametrize("threshold", [0.5, 0.1, 0.9])
@pytest.mark.parametrize("side", [1, 2, 14, 28])
def test_equals_the_definition_in_float64(implementation: str, side: int, threshold: float) -> None:
    height, width = 90, 130
    masks, boxes = blobs(40, side), boxes_in(height, width, 40)
    pasted = paste(masks, boxes, height, width, threshold)
    for counts, mask, box in zip(pasted, masks.numpy(), boxes.double().numpy()):
        want = values(mask, box, height, width)
        got = rle.decode(counts, (height, width))
        sure = np.abs(want - threshold) > 1e-5
        np.testing.assert_array_equal(got[sure], (want >= threshold)[sure])
        assert not got[want == 0].any()


def test_every_implementation_gives_the_reference_pixel_by_pixel(implementation: str) -> None:
    if torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("grid_sample rounds otherwise without fused multiply-add")
    count = 150 if implementation == "emulated" else 300
    masks, boxes = blobs(count), boxes_in(240, 320, count)
    with serving("reference"):
        want = paste(masks, boxes, 240, 320)
    reset_served()
    assert paste(masks, boxes, 240, 320) == want
    operator = "paste_masks_runs" if implementation == "emulated" else "paste_masks_to_rle"
    assert served()[operator] == implementation


def test_masks_of_a_batch_go_to_their_images_in_any_form(implementation: str) -> None:
    sizes = [(48, 64), (1, 70), (63, 5), (0, 9), (64, 64)]
    masks, boxes = blobs(30, 14), boxes_in(60, 60, 30)
    image = torch.arange(30) * 7 % 5
    whole = paste_masks_to_rle(masks, boxes, image, sizes)
    for row, index in enumerate(image.tolist()):
        assert [whole[row]] == paste(masks[row : row + 1], boxes[row : row + 1], *sizes[index])
    bits = paste_masks_to_packed(masks, boxes, image, sizes)
    assert bits.shape == (30, 64) and bits.dtype == torch.int64
    assert packed_to_rle(bits, [sizes[index] for index in image.tolist()]) == whole
    for row in torch.nonzero(image == 4).flatten().tolist():
        want = rle.decode(whole[row], (64, 64))
        np.testing.assert_array_equal(unpack_masks(bits[row : row + 1], 64, 64)[0].numpy(), want)


def test_runs_that_find_no_room_are_counted(implementation: str) -> None:
    masks, boxes = blobs(5, 14), boxes_in(40, 50, 5)
    sizes, image = torch.tensor([[40, 50]]), torch.zeros(5, dtype=torch.int64)
    all_runs = paste_masks_runs(masks, boxes, image, sizes, 2000, 900, 0.5)
    assert all_runs.shape == (906,) and all_runs.dtype == torch.int32
    assert rle_from_runs(all_runs, 5) == paste(masks, boxes, 40, 50)
    ends = int(all_runs[5])
    few = paste_masks_runs(masks, boxes, image, sizes, 2000, 7, 0.5)
    assert torch.equal(few, all_runs[:13]) and ends > 7
    if implementation != "emulated":
        with pytest.raises(ValueError, match="room"):
            rle_from_runs(few, 5)


def test_a_comb_has_more_runs_than_are_expected(implementation: str) -> None:
    mask = torch.zeros(1, 60, 60)
    mask[:, ::2] = 1
    (counts,) = paste(mask, torch.tensor([[0.0, 0.0, 60.0, 60.0]]), 60, 60)
    want = np.zeros((60, 60), np.uint8)
    want[::2] = 1
    np.testing.assert_array_equal(rle.decode(counts, (60, 60)), want)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_and_memory_orders(implementation: str, dtype: torch.dtype) -> None:
    masks, boxes = blobs(6, 14).to(dtype), boxes_in(40, 50, 6)
    want = paste(masks.float(), boxes, 40, 50)
    apart = torch.stack([masks.mT, masks.mT], dim=1)[:, 0].mT
    assert not apart.is_contiguous()
    assert paste(apart, boxes.T.contiguous().T, 40, 50) == want
    assert paste(masks.requires_grad_(), boxes, 40, 50) == want


def test_one_hundred_masks_of_a_large_image() -> None:
    if native() is None:
        pytest.skip("the extension is not built")
    masks, boxes = blobs(100), boxes_in(800, 1333, 100)
    image = torch.zeros(100, dtype=torch.int64)
    pasted = paste(masks, boxes, 800, 1333)
    bits = paste_masks_to_packed(masks, boxes, image, [(800, 1333)])
    assert packed_to_rle(bits, [(800, 1333)] * 100) == pasted


def test_a_mask_over_a_box_of_its_own_size_is_copied(implementation: str) -> None:
    mask = (blobs(1, 20) > 0.5).float()
    box = torch.tensor([[7.0, 5.0, 27.0, 25.0]])
    (counts,) = paste(mask, box, 40, 50)
    want = np.zeros((40, 50), np.uint8)
    want[5:25, 7:27] = mask[0]
    np.testing.assert_array_equal(rle.decode(counts, (40, 50)), want)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(*[st.floats(-60, 100, width=32)] * 4),
)
def test_any_box_in_any_image(
    implementation: str, seed: int, size: tuple[int, int], box: tuple[float, ...]
) -> None:
    masks, boxes = blobs(1, 7, seed), torch.tensor([box])
    (counts,) = paste(masks, boxes, *size)
    got = rle.decode(counts, size)
    x1, y1, x2, y2 = box
    if not (x1 < x2 and y1 < y2):
        assert not got.any()
        return
    if min(x2 - x1, y2 - y1) < 1e-3:  # the position within the box is lost to rounding
        return
    want = values(masks[0].numpy(), np.array(box), *size)
    sure = np.abs(want - 0.5) > 1e-3
    np.testing.assert_array_equal(got[sure], (want >= 0.5)[sure])


@pytest.mark.parametrize(
    "box",
    [
        (5.0, 5.0, 5.0, 9.0),
        (9.0, 5.0, 5.0, 9.0),
        (float("nan"), 1.0, 5.0, 9.0),
        (0.0, 0.0, float("inf"), 9.0),
        (-3e38, 0.0, 3e38, 9.0),
        (1e9, 1e9, 2e9, 2e9),
        (-50.0, -50.0, -20.0, -20.0),
    ],
)
def test_boxes_without_extent_or_outside_are_empty(
    implementation: str, box: tuple[float, ...]
) -> None:
    (counts,) = paste(torch.ones(1, 28, 28), torch.tensor([box]), 20, 30)
    assert rle.validate(counts, (20, 30)) == 0


def test_nan_probabilities_are_outside(implementation: str) -> None:
    masks = torch.ones(1, 4, 4)
    masks[0, :, 2:] = float("nan")
    (counts,) = paste(masks, torch.tensor([[0.0, 0.0, 40.0, 40.0]]), 40, 40)
    mask = rle.decode(counts, (40, 40))
    assert mask[20, :15].all()
    assert not mask[:, 15:].any()


@pytest.mark.parametrize("size", [(0, 0), (0, 9), (9, 0), (1, 1)])
def test_images_without_pixels_or_of_one(implementation: str, size: tuple[int, int]) -> None:
    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    (counts,) = paste(torch.ones(1, 28, 28), box, *size)
    assert rle.validate(counts, size) == size[0] * size[1]


def test_no_masks(implementation: str) -> None:
    assert paste(torch.zeros(0, 28, 28), torch.zeros(0, 4), 9, 9) == []


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    masks, boxes = blobs(50), boxes_in(200, 300, 50)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = paste(masks, boxes, 200, 300)
        torch.set_num_threads(threads)
        assert paste(masks, boxes, 200, 300) == alone
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"masks": torch.zeros(2, 28, 27)}, "are not"),
        ({"masks": torch.zeros(2, 0, 0)}, "are not"),
        ({"boxes": torch.zeros(3, 4)}, "are not"),
        ({"threshold": 0.0}, "threshold=0.0"),
        ({"threshold": 1.5}, "threshold=1.5"),
        ({"height": -1}, "-1 x 9"),
    ],
)
def test_bad_input_is_refused(implementation: str, changed: dict[str, object], what: str) -> None:
    arguments = {
        "masks": torch.zeros(2, 28, 28),
        "boxes": torch.zeros(2, 4),
        "height": 9,
        "width": 9,
    }
    with pytest.raises(ValueError, match=what):
        paste(**arguments | changed)


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (torch.zeros(3, dtype=torch.int64), "image_index"),
        (torch.zeros(2), "image_index"),
        (torch.tensor([0, 1]), "outside 0 to 0"),
        (torch.tensor([0, -1]), "outside 0 to 0"),
    ],
)
def test_masks_of_no_image_are_refused(implementation: str, image: torch.Tensor, what: str) -> None:
    if implementation == "emulated" and what.startswith("outside"):
        pytest.skip("a device tells no error")
    with pytest.raises(ValueError, match=what):
        paste_masks_to_rle(torch.zeros(2, 28, 28), torch.zeros(2, 4), image, [(9, 9)])


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_threads_pastes_the_same(order: str) -> None:
    if problem := emulation_problem():
        pytest.skip(problem)
    masks, boxes = blobs(12, 14), boxes_in(70, 90, 12)
    with serving("reference"):
        want = paste(masks, boxes, 70, 90)
    with serving("emulated"), thread_order(order, 3):
        assert paste(masks, boxes, 70, 90) == want

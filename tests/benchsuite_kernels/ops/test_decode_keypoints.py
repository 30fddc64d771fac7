"""Against torch's own bicubic resize of one box at a time, in float64, and by hand."""

from __future__ import annotations

from importlib import import_module
from math import exp

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, thread_order
from benchsuite_kernels.dispatch import serving
from benchsuite_kernels.ops import decode_keypoints
from benchsuite_kernels.ops.decode_keypoints import KeypointPeaks, reference

MODULE = import_module("benchsuite_kernels.ops.decode_keypoints")  # not the function

BOXES = torch.tensor(
    [
        [10.3, 20.7, 73.9, 141.2],
        [0.0, 0.0, 56.0, 56.0],
        [5.0, 5.0, 5.2, 300.0],
        [100.5, 3.25, 400.0, 4.0],
        [7.0, 8.0, 7.0, 8.0],
        [-20.0, -30.0, 161.5, 98.0],
        [11.1, 20.7, 74.5, 142.2],
        [130.9, 37.1, 3.0, 2.0],
    ]
)


def smooth(boxes: int, keypoints: int, side: int = 56) -> Tensor:
    coarse = torch.randn((boxes, keypoints, 9, 9), generator=torch.Generator().manual_seed(1))
    return 4 * F.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)


def noise(boxes: int, keypoints: int, side: int = 14) -> Tensor:
    return torch.randn((boxes, keypoints, side, side), generator=torch.Generator().manual_seed(2))


def compare(found: KeypointPeaks, maps: Tensor, boxes: Tensor, tolerance: float = 1e-5) -> None:
    """The pixel that is found has the highest value, whatever a peer's rounding, and the share that
    belongs to it."""
    for index, (own, box) in enumerate(zip(maps.double(), boxes, strict=True)):
        extent = (box[2:] - box[:2]).clamp(min=1)
        width, height = (int(side) for side in extent.ceil())
        stretched = F.interpolate(own[None], (height, width), mode="bicubic", align_corners=False)
        pixel = extent / extent.ceil()
        place = (found.positions[index] - box[:2]) / pixel - 0.5
        column, row = place.round().long().unbind(-1)
        torch.testing.assert_close(
            found.positions[index], box[:2] + (torch.stack([column, row], -1) + 0.5) * pixel
        )
        assert (column >= 0).all() and (column < width).all()
        assert (row >= 0).all() and (row < height).all()
        peak = stretched[0].amax(dim=(1, 2))
        at = stretched[0][torch.arange(len(own)), row, column]
        size = own.abs().amax().item()
        torch.testing.assert_close(at, peak, atol=tolerance * size, rtol=0)
        logits = found.logits[index].double()
        torch.testing.assert_close(logits, peak, atol=tolerance * size, rtol=0)
        share = 1 / (own - logits[:, None, None]).exp().sum(dim=(1, 2))
        torch.testing.assert_close(found.shares[index].double(), share, rtol=1e-5, atol=0)


@pytest.mark.parametrize("maps", [smooth(8, 5), noise(8, 9), noise(8, 2, side=1)])
def test_each_box_as_torchs_resize_stretches_it(implementation: str, maps: Tensor) -> None:
    compare(decode_keypoints(maps, BOXES), maps, BOXES)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_read_as_they_are(implementation: str, dtype: torch.dtype) -> None:
    maps = smooth(8, 3).to(dtype)
    reset_served()
    found = decode_keypoints(maps, BOXES)
    assert served() == {"decode_keypoints": implementation}
    assert all(each.dtype is torch.float32 for each in found)
    compare(found, maps, BOXES)


def test_the_implementations_agree_to_the_bit(implementation: str) -> None:
    """Weights and sums are formed in the same order: there is no near-tie to differ on."""
    maps = torch.cat([smooth(8, 3), noise(8, 3, side=56)], dim=1)
    found = decode_keypoints(maps, BOXES)
    positions, logits, shares = reference(maps, BOXES)
    assert torch.equal(found.positions, positions) and torch.equal(found.logits, logits)
    torch.testing.assert_close(found.shares, shares, rtol=1e-5, atol=0)


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_threads_changes_nothing(order: str) -> None:
    maps = smooth(2, 2, side=20)
    boxes = torch.tensor([[0.0, 0.0, 300.0, 9.0], [0.0, 0.0, 25.0, 40.0]])
    if problem := emulation_problem():
        pytest.skip(problem)
    with serving("emulated"), thread_order(order, 3):
        found = decode_keypoints(maps, boxes)
    wanted = reference(maps, boxes)
    assert torch.equal(found.positions, wanted[0]) and torch.equal(found.logits, wanted[1])
    torch.testing.assert_close(found.shares, wanted[2], rtol=1e-5, atol=0)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    side=st.integers(1, 9),
    extents=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=3),
    values=st.sampled_from([(0.0, 1.0), (-3.0, -2.0, -1.0), (1e30, -1e30), (0.0, torch.nan, 5.0)]),
    seed=st.integers(0, 99),
)
def test_ties_and_nan(
    implementation: str,
    side: int,
    extents: list[tuple[int, int]],
    values: tuple[float, ...],
    seed: int,
) -> None:
    chosen = torch.Generator().manual_seed(seed)
    number = torch.randint(len(values), (len(extents), 2, side, side), generator=chosen)
    maps = torch.tensor(values)[number]
    corners = torch.tensor(extents, dtype=torch.float32).reshape(-1, 2) / 2
    boxes = torch.cat([torch.zeros_like(corners), corners], dim=1)
    found, wanted = decode_keypoints(maps, boxes), reference(maps, boxes)
    torch.testing.assert_close(found.positions, wanted[0], rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(found.logits, wanted[1], rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(found.shares, wanted[2], rtol=1e-5, atol=1e-35, equal_nan=True)


def test_a_peak_is_the_middle_of_its_pixel(implementation: str) -> None:
    maps = torch.zeros((1, 1, 56, 56))
    maps[0, 0, 12, 40] = 9.0
    found = decode_keypoints(maps, torch.tensor([[100.0, 200.0, 156.0, 256.0]]))
    assert found.positions[0, 0].tolist() == [140.5, 212.5]
    assert found.logits.item() == 9.0
    background = 56 * 56 - 1
    assert found.shares.item() == pytest.approx(1 / (1 + background * exp(-9)), rel=1e-5)


def test_a_peak_between_cells_scores_more_than_its_share(implementation: str) -> None:
    """Towards the middle of four equal cells the cubic overshoots what each has."""
    maps = torch.full((1, 1, 56, 56), -20.0)
    maps[0, 0, 20:22, 30:32] = 0.0
    found = decode_keypoints(maps, torch.tensor([[0.0, 0.0, 168.0, 168.0]]))
    assert found.positions[0, 0].tolist() == [92.5, 62.5]
    assert found.shares > 1 / 4


def test_the_first_of_equal_pixels_is_taken(implementation: str) -> None:
    boxes = torch.tensor([[2.0, 3.0, 9.5, 6.5]] * 2)
    found = decode_keypoints(torch.zeros((2, 3, 8, 8)), boxes)
    assert found.positions[..., 0].unique().tolist() == [2.0 + 0.5 * 7.5 / 8]
    assert found.positions[..., 1].unique().tolist() == [3.0 + 0.5 * 3.5 / 4]
    torch.testing.assert_close(found.shares, torch.full((2, 3), 1 / 64))


def test_shares_are_finite_however_high_the_peak(implementation: str) -> None:
    maps = torch.full((1, 1, 56, 56), -2000.0)
    maps[0, 0, 20:22, 30:32] = 0.0
    found = decode_keypoints(maps, torch.tensor([[0.0, 0.0, 168.0, 168.0]]))
    assert found.shares.isfinite().all() and found.shares > 1


def test_nan_and_infinity_among_the_cells(implementation: str) -> None:
    maps = smooth(1, 4)
    maps[0, 0, 30, 5] = torch.nan
    maps[0, 1, 30, 5] = torch.inf
    maps[0, 2, 30, 5] = -torch.inf
    maps[0, 3] = -torch.inf
    boxes = torch.tensor([[0.0, 0.0, 70.0, 112.0]])
    positions, logits, _ = reference(maps, boxes)
    found = decode_keypoints(maps, boxes)
    assert torch.equal(found.positions, positions)
    torch.testing.assert_close(found.logits, logits, rtol=0, atol=0, equal_nan=True)
    assert found.logits[0, 0].isnan()
    # Row by row, the first pixel that any weight of that cell reaches.
    assert found.positions[0, 0, 1] == 2 * 28 + 1 + 0.5


def test_boxes_that_are_no_boxes_give_nan(implementation: str) -> None:
    maps = smooth(5, 2)
    boxes = BOXES[:5].clone()
    boxes[0, 1], boxes[1, 2], boxes[2, 0] = torch.nan, torch.inf, -torch.inf
    boxes[3, 3] = 1e9
    found = decode_keypoints(maps, boxes)
    assert all(each[:4].isnan().all() for each in found)
    assert all(each[4:].isfinite().all() for each in found)


def test_a_huge_box_costs_no_map_of_its_size() -> None:
    maps = smooth(1, 1)
    found = decode_keypoints(maps, torch.tensor([[0.0, 0.0, 56000.0, 56000.0]]))
    peak = decode_keypoints(maps, torch.tensor([[0.0, 0.0, 560.0, 560.0]]))
    torch.testing.assert_close(found.positions / 100, peak.positions, atol=0.5, rtol=0)


@pytest.mark.parametrize("shape", [(0, 17, 56, 56), (3, 0, 56, 56)])
def test_nothing_in_nothing_out(implementation: str, shape: tuple[int, ...]) -> None:
    found = decode_keypoints(torch.zeros(shape), torch.zeros((shape[0], 4)))
    assert found.positions.shape == (*shape[:2], 2)
    assert found.logits.shape == found.shares.shape == shape[:2]


def test_a_view_is_read_as_it_looks(implementation: str) -> None:
    maps, boxes = smooth(16, 6)[::2, ::2].transpose(2, 3), BOXES.flip(0)
    found = decode_keypoints(maps, boxes)
    same = decode_keypoints(maps.contiguous(), boxes.contiguous())
    assert torch.equal(found.positions, same.positions)
    torch.testing.assert_close(found.shares, same.shares)


def test_float64_is_the_references() -> None:
    maps = smooth(8, 2).double()
    reset_served()
    found = decode_keypoints(maps, BOXES)
    assert served() == {"decode_keypoints": "reference"}
    assert found.logits.dtype is torch.float64
    compare(found._replace(positions=found.positions.float()), maps, BOXES, tolerance=1e-6)


def test_threads_and_the_references_memory_bound_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    maps = smooth(8, 17)
    wanted = decode_keypoints(maps, BOXES)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        found = decode_keypoints(maps, BOXES)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    at_once = reference(maps, BOXES)
    monkeypatch.setattr(MODULE, "ELEMENTS_AT_ONCE", 1)
    assert all(torch.equal(a, b) for a, b in zip(reference(maps, BOXES), at_once, strict=True))


def test_torch_finds_it_a_sound_operator() -> None:
    torch.library.opcheck(torch.ops.benchsuite.decode_keypoints.default, (smooth(2, 3), BOXES[:2]))


@pytest.mark.parametrize(
    ("maps", "boxes"),
    [((2, 3, 4, 4), (3, 4)), ((2, 3, 4, 5), (2, 4)), ((2, 4, 4), (2, 4)), ((2, 3, 0, 0), (2, 4))],
)
def test_shapes_that_do_not_fit_are_refused(
    implementation: str, maps: tuple[int, ...], boxes: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="not \\(R, K, M, M\\)"):
        decode_keypoints(torch.zeros(maps), torch.zeros(boxes))

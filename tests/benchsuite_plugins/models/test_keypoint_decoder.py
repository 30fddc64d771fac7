"""Against torch's own bicubic resize of one box at a time, and by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchsuite_plugins.models import keypoint_decoder
from benchsuite_plugins.models.keypoint_decoder import decode_keypoints


def heat_maps(boxes: int, keypoints: int, side: int = 56) -> Tensor:
    coarse = torch.randn((boxes, keypoints, 9, 9), generator=torch.Generator().manual_seed(1))
    return 4 * F.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)


BOXES = torch.tensor(
    [
        [10.3, 20.7, 73.9, 141.2],
        [0.0, 0.0, 56.0, 56.0],
        [5.0, 5.0, 5.2, 300.0],
        [100.5, 3.25, 300.0, 4.0],
        [7.0, 8.0, 7.0, 8.0],
        [0.0, 0.0, 181.5, 128.0],
        [11.1, 20.7, 74.5, 142.2],
        [3.0, 2.0, 130.9, 37.1],
    ]
)


def one_at_a_time(maps: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """The stretched map (K, H, W), and the size of its pixels (2,)."""
    extent = (box[2:] - box[:2]).clamp(min=1)
    pixels = extent.ceil()
    width, height = pixels.int().tolist()
    stretched = F.interpolate(maps[None], (height, width), mode="bicubic", align_corners=False)
    return stretched[0], extent / pixels


def test_each_box_as_torchs_resize_stretches_it() -> None:
    maps = heat_maps(len(BOXES), 5)
    for found, own, box in zip(decode_keypoints(maps, BOXES), maps, BOXES, strict=True):
        stretched, pixel = one_at_a_time(own, box)
        column, row = ((found[:, :2] - box[:2]) / pixel - 0.5).round().long().unbind(-1)
        torch.testing.assert_close(
            found[:, :2], box[:2] + (torch.stack([column, row], -1) + 0.5) * pixel
        )
        peak = stretched.amax(dim=(1, 2))
        torch.testing.assert_close(
            stretched[torch.arange(len(own)), row, column], peak, atol=1e-4, rtol=0
        )
        share = 1 / (own - peak[:, None, None]).exp().sum(dim=(1, 2))
        torch.testing.assert_close(found[:, 2], share, rtol=1e-3, atol=0)


def test_weights_are_torchs() -> None:
    """A row of ones and zeros, stretched to every length, gives the weights themselves."""
    for side, length in ((4, 1), (4, 3), (4, 4), (4, 11), (56, 801)):
        basis = torch.eye(side, dtype=torch.float64)[None]
        expected = F.interpolate(
            basis[:, :, None], (1, length), mode="bicubic", align_corners=False
        )[0, :, 0]
        found = keypoint_decoder._bicubic_weights(torch.tensor([float(length)]), length, side)
        torch.testing.assert_close(found[0].T, expected.float(), atol=1e-6, rtol=0)


def test_a_peak_is_the_middle_of_its_pixel() -> None:
    maps = torch.zeros((1, 1, 56, 56))
    maps[0, 0, 12, 40] = 9.0
    found = decode_keypoints(maps, torch.tensor([[100.0, 200.0, 156.0, 256.0]]))[0, 0]
    assert found[:2].tolist() == [140.5, 212.5]
    background = 56 * 56 - 1
    assert found[2].item() == pytest.approx(1 / (1 + background * torch.tensor(-9.0).exp()))


def test_a_peak_between_cells_scores_more_than_its_share() -> None:
    """Towards the middle of four equal cells the cubic overshoots what each has."""
    maps = torch.full((1, 1, 56, 56), -20.0)
    maps[0, 0, 20:22, 30:32] = 0.0
    found = decode_keypoints(maps, torch.tensor([[0.0, 0.0, 168.0, 168.0]]))[0, 0]
    assert found[:2].tolist() == [92.5, 62.5]
    assert found[2] > 1 / 4


def test_the_first_of_equal_pixels_is_taken() -> None:
    found = decode_keypoints(torch.zeros((2, 3, 8, 8)), torch.tensor([[2.0, 3.0, 9.5, 6.5]] * 2))
    assert found[..., 0].unique().tolist() == [2.0 + 0.5 * 7.5 / 8]
    assert found[..., 1].unique().tolist() == [3.0 + 0.5 * 3.5 / 4]
    torch.testing.assert_close(found[..., 2], torch.full((2, 3), 1 / 64))


def test_scores_are_finite_however_high_the_peak() -> None:
    maps = torch.full((1, 1, 56, 56), -2000.0)
    maps[0, 0, 20:22, 30:32] = 0.0
    found = decode_keypoints(maps, torch.tensor([[0.0, 0.0, 168.0, 168.0]]))
    assert found.isfinite().all() and found[..., 2] > 1


def test_memory_bound_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = heat_maps(len(BOXES), 3)
    at_once = decode_keypoints(maps, BOXES)
    monkeypatch.setattr(keypoint_decoder, "ELEMENTS_AT_ONCE", 1)
    torch.testing.assert_close(decode_keypoints(maps, BOXES), at_once)


def test_no_boxes() -> None:
    assert decode_keypoints(torch.zeros((0, 17, 56, 56)), torch.zeros((0, 4))).shape == (0, 17, 3)


def test_autocast_does_not_reach_it() -> None:
    maps = heat_maps(len(BOXES), 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = decode_keypoints(maps, BOXES)
    assert torch.equal(found, decode_keypoints(maps, BOXES))

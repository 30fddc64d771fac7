"""Cells of keypoints by hand."""

from __future__ import annotations

import torch

from benchsuite_plugins.models.keypoint_targets import keypoint_cells, keypoint_loss

BOX = torch.tensor([[10.0, 20.0, 18.0, 36.0]])  # 8 x 16: a cell of 4 x 4 is 2 x 4 pixels.


def cells(*points: tuple[float, float, int]) -> tuple[list[int], list[bool]]:
    found, valid = keypoint_cells(torch.tensor([points]).float(), BOX, 4)
    return found[0].tolist(), valid[0].tolist()


def test_cells_count_by_row() -> None:
    found, valid = cells((10, 20, 2), (13.9, 20, 2), (14, 27.9, 1), (17.9, 35.9, 2))
    assert found == [0, 1, 6, 15]
    assert valid == [True] * 4


def test_the_far_borders_belong_to_the_last_cells() -> None:
    assert cells((18, 20, 2), (10, 36, 2), (18, 36, 2)) == ([3, 12, 15], [True] * 3)


def test_what_lies_outside_or_is_not_labelled_does_not_count() -> None:
    found, valid = cells((9.9, 20, 2), (18.1, 20, 2), (12, 36.1, 2), (12, 19, 1), (12, 24, 0))
    assert found == [0] * 5
    assert valid == [False] * 5


def test_a_region_without_extent() -> None:
    flat = torch.tensor([[10.0, 20, 10, 36]])
    found, valid = keypoint_cells(torch.tensor([[[10.0, 22, 2], [11.0, 22, 2]]]), flat, 4)
    assert ((found >= 0) & (found < 16)).all()
    assert valid.tolist() == [[True, False]]


def test_loss_sums_over_what_counts() -> None:
    logits = torch.randn((2, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    where = torch.tensor([[0, 5, 15], [7, 0, 0]])
    valid = torch.tensor([[True, True, False], [True, False, False]])
    expected = sum(
        -logits[row, keypoint].flatten().log_softmax(0)[where[row, keypoint]]
        for row, keypoint in [(0, 0), (0, 1), (1, 0)]
    )
    torch.testing.assert_close(keypoint_loss(logits, where, valid), expected)
    nothing = keypoint_loss(logits[:0], where[:0], valid[:0])
    assert nothing.item() == 0

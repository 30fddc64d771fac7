from __future__ import annotations

import torch

from benchsuite_plugins.models.point_coder import PointCoder

SQUARE = torch.tensor([4.0, 12.0, 12.0, 20.0])  # around (8, 16), of side 8


def test_distances_by_hand() -> None:
    box = PointCoder().decode(torch.tensor([0.5, 1.0, 2.0, 0.25]), SQUARE)
    assert box.tolist() == [4.0, 8.0, 24.0, 18.0]


def test_negative_distances_end_at_the_point() -> None:
    box = PointCoder().decode(torch.tensor([-1.0, 1.0, -0.1, 0.0]), SQUARE)
    assert box.tolist() == [8.0, 8.0, 8.0, 16.0]


def test_encoding_is_undone_by_decoding_where_the_point_lies_inside() -> None:
    targets = torch.tensor([[1.0, 2.0, 30.0, 40.0], [7.5, 15.5, 8.5, 17.0]])
    deltas = PointCoder().encode(targets, SQUARE)
    assert (deltas > 0).all()
    torch.testing.assert_close(PointCoder().decode(deltas, SQUARE), targets)
    outside = PointCoder().encode(torch.tensor([9.0, 0.0, 20.0, 20.0]), SQUARE)
    assert outside.tolist() == [-0.125, 2.0, 1.5, 0.5]


def test_half_precision_is_decoded_in_single() -> None:
    box = PointCoder().decode(torch.ones(4, dtype=torch.bfloat16), SQUARE + 1001)
    assert box.dtype == torch.float32 and box.tolist() == [1001.0, 1009.0, 1017.0, 1025.0]

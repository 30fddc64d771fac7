from __future__ import annotations

import math

import torch

from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.boxes import box_area, clip_boxes, larger_than

BOX = torch.tensor([[10.0, 20.0, 30.0, 60.0]])  # 20 x 40 around (20, 40)


def test_no_delta_gives_the_reference_box() -> None:
    assert BoxCoder((10, 10, 5, 5)).decode(torch.zeros(1, 4), BOX).tolist() == BOX.tolist()


def test_deltas_move_by_sizes_and_scale_by_exponents() -> None:
    deltas = torch.tensor([[1.0, -0.5, 5 * math.log(2), 5 * math.log(0.5)]])
    # dx 1/10 of 20, dy -0.5/10 of 40: centre (22, 38); 40 x 20.
    decoded = BoxCoder((10, 10, 5, 5)).decode(deltas, BOX)
    torch.testing.assert_close(decoded, torch.tensor([[2.0, 28.0, 42.0, 48.0]]))


def test_growth_is_bounded() -> None:
    decoded = BoxCoder((1, 1, 1, 1)).decode(torch.tensor([[0.0, 0.0, 1e30, 100.0]]), BOX)
    width, height = (decoded[0, 2:] - decoded[0, :2]).tolist()
    assert math.isclose(width, 20 * 62.5, rel_tol=1e-5)
    assert math.isclose(height, 40 * 62.5, rel_tol=1e-5)


def test_references_are_broadcast_over_classes_and_half_precision_is_widened() -> None:
    deltas = torch.zeros(1, 3, 4, dtype=torch.bfloat16)
    decoded = BoxCoder((1, 1, 1, 1)).decode(deltas, BOX[:, None])
    assert decoded.shape == (1, 3, 4) and decoded.dtype == torch.float32


def test_clip_keeps_to_each_image() -> None:
    boxes = torch.tensor([[-5.0, -5.0, 50.0, 50.0], [-5.0, 3.0, 50.0, 4.0]])
    sizes = torch.tensor([[30.0, 40.0], [10.0, 20.0]])
    assert clip_boxes(boxes, sizes).tolist() == [[0, 0, 40, 30], [0, 3, 20, 4]]


def test_area_and_extent() -> None:
    boxes = torch.tensor([[0.0, 0, 2, 3], [1.0, 1, 1, 5], [0.0, 0, math.nan, 1]])
    assert box_area(boxes)[:2].tolist() == [6, 0]
    assert larger_than(boxes, 0).tolist() == [True, False, False]
    assert larger_than(boxes, 2).tolist() == [False, False, False]


def test_encoding_by_hand() -> None:
    # From 20 x 40 around (20, 40) to 40 x 20 around (22, 38).
    deltas = BoxCoder((10, 10, 5, 5)).encode(torch.tensor([[2.0, 28.0, 42.0, 48.0]]), BOX)
    expected = [[1.0, -0.5, 5 * math.log(2), 5 * math.log(0.5)]]
    torch.testing.assert_close(deltas, torch.tensor(expected))


def test_decoding_undoes_encoding() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand((2, 50, 2), generator=generator) * 100
    sizes = 1 + torch.rand((2, 50, 2), generator=generator) * 50
    targets, boxes = torch.cat([corners, corners + sizes], dim=-1)
    coder = BoxCoder((1, 2, 3, 4))
    decoded = coder.decode(coder.encode(targets, boxes), boxes)
    torch.testing.assert_close(decoded, targets, atol=1e-4, rtol=1e-5)

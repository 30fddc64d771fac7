from __future__ import annotations

import pytest
import torch

from benchsuite.errors import UsageError
from benchsuite_plugins.models.anchor_generator import AnchorGenerator, cell_anchors
from benchsuite_plugins.models.options import AnchorOptions


def test_cell_anchors_have_the_area_and_the_ratio_asked_for() -> None:
    # Size 32, height/width 1/4, 1 and 4: 64 x 16, 32 x 32, 16 x 64.
    expected = [[-32, -8, 32, 8], [-16, -16, 16, 16], [-8, -32, 8, 32]]
    assert cell_anchors([32], [0.25, 1, 4]).tolist() == expected


def test_sizes_are_outside_and_ratios_inside() -> None:
    widths = cell_anchors([4, 8], [1, 4]) @ torch.tensor([-1.0, 0, 1, 0])
    assert widths.tolist() == [4, 2, 8, 4]


def test_grid_runs_by_row_with_anchors_inside() -> None:
    options = AnchorOptions(sizes=((2.0, 4.0),), aspect_ratios=((1.0,),))
    (anchors,) = AnchorGenerator(options, [8])([torch.zeros(1, 1, 2, 3)]).levels()
    centers = (anchors[:, :2] + anchors[:, 2:]) / 2
    cells = [[0, 0], [8, 0], [16, 0], [0, 8], [8, 8], [16, 8]]
    assert centers.tolist() == [cell for cell in cells for _ in range(2)]
    assert (anchors[:, 2] - anchors[:, 0]).tolist() == [2, 4] * 6


def test_offset_moves_by_a_part_of_the_stride() -> None:
    options = AnchorOptions(sizes=((2.0,),), aspect_ratios=((1.0,),), offset=0.5)
    (anchors,) = AnchorGenerator(options, [8])([torch.zeros(1, 1, 1, 2)]).levels()
    assert anchors.tolist() == [[3, 3, 5, 5], [11, 3, 13, 5]]


def test_one_list_serves_all_levels() -> None:
    generator = AnchorGenerator(AnchorOptions(), [4, 8, 16, 32, 64])
    assert generator.anchors_per_cell == (3, 3, 3, 3, 3)
    maps = [torch.zeros(1, 1, 2, 2)] * 5
    assert [len(level) for level in generator(maps).levels()] == [12] * 5


@pytest.mark.parametrize("sizes", [((32.0,), (64.0,)), ((),)])
def test_lists_that_do_not_fit_the_levels_are_refused(sizes: tuple[tuple[float, ...]]) -> None:
    with pytest.raises(UsageError, match=r"anchors\.sizes"):
        AnchorGenerator(AnchorOptions(sizes=sizes), [4, 8, 16])

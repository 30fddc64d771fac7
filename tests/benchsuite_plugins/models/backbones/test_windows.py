from __future__ import annotations

import pytest
import torch

from benchsuite_plugins.models.backbones.windows import (
    merge_windows,
    pad_or_crop,
    partition_windows,
)


def test_windows_lie_row_by_row_and_zeros_on_the_right_and_at_the_bottom() -> None:
    tokens = torch.arange(1.0, 16.0).reshape(1, 3, 5, 1)
    windows = partition_windows(tokens, 2).squeeze(-1)
    assert windows.tolist() == [
        [[1, 2], [6, 7]],
        [[3, 4], [8, 9]],
        [[5, 0], [10, 0]],
        [[11, 12], [0, 0]],
        [[13, 14], [0, 0]],
        [[15, 0], [0, 0]],
    ]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (6, 6), (7, 12), (2, 13)])
def test_merging_undoes_partitioning(height: int, width: int) -> None:
    tokens = torch.randn(2, height, width, 4)
    windows = partition_windows(tokens, 3)
    assert windows.shape == (2 * -(-height // 3) * -(-width // 3), 3, 3, 4)
    assert torch.equal(merge_windows(windows, 2, height, width), tokens)


def test_windows_of_an_image_stay_together() -> None:
    tokens = torch.randn(2, 5, 4, 3)
    both = partition_windows(tokens, 2)
    assert torch.equal(both, torch.cat([partition_windows(image[None], 2) for image in tokens]))


def test_pad_or_crop() -> None:
    tokens = torch.ones(1, 2, 3, 1)
    assert pad_or_crop(tokens, 3, 2).squeeze().tolist() == [[1, 1], [1, 1], [0, 0]]

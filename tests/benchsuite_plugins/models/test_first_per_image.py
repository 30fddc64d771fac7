from __future__ import annotations

import torch

from benchsuite_plugins.models.first_per_image import first_per_image


def test_each_image_keeps_its_first_rows_in_their_order() -> None:
    image_index = torch.tensor([2, 0, 2, 0, 0, 2, 3])
    assert first_per_image(image_index, 5, 2).tolist() == [1, 3, 0, 2, 6]
    assert first_per_image(image_index, 5, 9).tolist() == [1, 3, 4, 0, 2, 5, 6]


def test_no_rows() -> None:
    assert first_per_image(torch.zeros(0, dtype=torch.int64), 3, 2).tolist() == []

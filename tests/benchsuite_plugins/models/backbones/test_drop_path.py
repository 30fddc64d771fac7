from __future__ import annotations

import pytest
import torch

from benchsuite_plugins.models.backbones.drop_path import DropPath, drop_path_rates


def test_whole_images_are_left_out_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    dropped = DropPath(0.25)(torch.ones(4000, 2, 3))
    per_image = dropped.flatten(1)
    assert ((per_image == 0).all(1) | (per_image == 1 / 0.75).all(1)).all()
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)


def test_inference_leaves_all_in() -> None:
    branch = torch.randn(5, 2)
    assert torch.equal(DropPath(0.9).eval()(branch), branch)
    assert torch.equal(DropPath(0.0)(branch), branch)


def test_rates_grow_linearly_from_zero() -> None:
    assert drop_path_rates(0.4, 5) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert drop_path_rates(0.4, 1) == [0]

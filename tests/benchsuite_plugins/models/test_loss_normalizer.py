from __future__ import annotations

import pytest
import torch

from benchsuite_plugins.models.loss_normalizer import LossNormalizer


def test_it_moves_with_each_batch_of_training() -> None:
    normalizer = LossNormalizer(100.0)
    assert normalizer(torch.tensor(30)).item() == pytest.approx(93)
    assert normalizer(torch.tensor(0)).item() == pytest.approx(83.8)
    normalizer.eval()
    assert normalizer(torch.tensor(40)).item() == pytest.approx(79.42)
    assert normalizer(torch.tensor(40)).item() == pytest.approx(79.42)


def test_it_is_no_part_of_a_checkpoint() -> None:
    assert not LossNormalizer(300.0).state_dict()

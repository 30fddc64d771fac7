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


def test_the_batches_of_a_step_move_it_once() -> None:
    normalizer = LossNormalizer(100.0)
    with normalizer.whole_step():
        averages = [normalizer(torch.tensor(count)).item() for count in (30, 50)]
    # Each with itself alone, as if it was the only one; then all by the mean.
    assert averages == pytest.approx([93, 95])
    assert normalizer.value.item() == pytest.approx(94)
    with normalizer.whole_step():
        normalizer(torch.tensor(44))
    assert normalizer.value.item() == pytest.approx(89)


def test_a_step_that_fails_or_has_no_batch_leaves_it() -> None:
    normalizer = LossNormalizer(100.0)
    with pytest.raises(KeyError), normalizer.whole_step():
        normalizer(torch.tensor(30))
        raise KeyError
    with normalizer.whole_step():
        pass
    assert normalizer.value.item() == 100
    normalizer(torch.tensor(30))
    assert normalizer.value.item() == pytest.approx(93)

"""Streams as recipes order them, over sets that only say what an order is made of."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchsuite.errors import UsageError
from benchsuite.training.options import SamplerOptions
from benchsuite.training.order.sampling import build_stream

UNGROUPED = {"aspect_ratio_grouping": False}


class Sizes:
    """A set of so many images; the first third are wide, and one has a label of its own."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self):
        return self._count

    @property
    def widths(self):
        return np.where(np.arange(self._count) < self._count // 3, 20, 10)

    @property
    def heights(self):
        return np.full(self._count, 10)

    def image_labels(self):
        images = np.append(np.arange(self._count), 0)
        return images, np.append(np.zeros(self._count, np.int64), 1)


def stream(*sets, batch=2, step=4, **options):
    return build_stream(
        sets,
        SamplerOptions(**options),
        images_per_micro_batch=batch,
        images_per_batch=step,
        seed=3,
    )


def test_several_sets_without_weights_are_one():
    found = stream(Sizes(3), Sizes(5), **UNGROUPED).indices(0, 16)
    assert Counter(found.tolist()) == dict.fromkeys(range(8), 2)


def test_weights_hold_whatever_the_sets_have():
    found = stream(Sizes(3), Sizes(50), weights=(1.0, 3.0), **UNGROUPED).indices(0, 6400)
    shares = Counter((found >= 3).tolist())
    assert shares == {False: 1600, True: 4800}
    assert set(found.tolist()) == set(range(53))


def test_batches_of_one_orientation():
    sets = Sizes(9), Sizes(6)
    wide = np.concatenate([each.widths > each.heights for each in sets])
    for options in ({}, {"weights": (2.0, 1.0)}, {"type": "repeat_factor", "repeat_thresh": 0.5}):
        batches = stream(*sets, batch=3, **options).indices(0, 300).reshape(-1, 3)
        assert (wide[batches] == wide[batches][:, :1]).all(), options


def test_rare_categories_come_more_often():
    # One image of eight has label 1: a share of 1/8, below 1/2 by a factor of 4.
    options = {"type": "repeat_factor", "repeat_thresh": 0.5, **UNGROUPED}
    found = Counter(stream(Sizes(8), **options).indices(0, 90).tolist())
    assert found == {0: 20, **dict.fromkeys(range(1, 8), 10)}


def test_an_epoch_of_whole_steps():
    found = stream(Sizes(7), type="epoch", **UNGROUPED).indices(0, 8).reshape(2, 4)
    assert all(len(set(step.tolist())) == 4 for step in found)
    with pytest.raises(UsageError, match="leaves nothing of 3 images, where a step takes 4"):
        stream(Sizes(3), type="epoch")


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ((1.0,), "1 weights for 2 datasets"),
        ((1.0, 0.0), "numbers above 0"),
        ((1.0, float("inf")), "numbers above 0"),
    ],
)
def test_weights_that_mean_nothing(weights, problem):
    with pytest.raises(UsageError, match=problem):
        stream(Sizes(3), Sizes(3), weights=weights)

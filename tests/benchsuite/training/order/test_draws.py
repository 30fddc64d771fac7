"""Orders of training images: whole epochs, resumable at any place, the same for every process."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.training.order.aspect_groups import GroupedStream, orientations
from benchsuite.training.order.draws import Share
from benchsuite.training.order.epochs import EpochStream, ShuffledEpochs, WholeSteps
from benchsuite.training.order.mixture import MixedStream
from benchsuite.training.order.repeat_factor import RepeatedEpochs, repeat_factors

counts = st.integers(1, 40)
seeds = st.integers(0, 2**64 - 1)


def repeated(count: int, seed: int) -> RepeatedEpochs:
    factors = 1 + np.random.default_rng(seed % 1000).random(count) * 2
    return RepeatedEpochs(factors, seed)


def streams(count: int, seed: int, size: int):
    """One of every kind."""
    groups = np.random.default_rng(seed % 1000).integers(0, 2, count)
    return {
        "shuffled": EpochStream(ShuffledEpochs(count, seed)),
        "repeated": EpochStream(repeated(count, seed)),
        "grouped": GroupedStream(ShuffledEpochs(count, seed), groups, size),
        "grouped repeated": GroupedStream(repeated(count, seed), groups, size),
        "mixed": MixedStream(
            [EpochStream(ShuffledEpochs(count, seed)), EpochStream(ShuffledEpochs(count, seed))],
            [1, 2.5],
            size,
            seed,
        ),
    }


@given(count=counts, seed=seeds, epoch=st.integers(0, 5))
def test_every_image_comes_once_an_epoch(count, seed, epoch):
    stream = EpochStream(ShuffledEpochs(count, seed))
    found = stream.indices(epoch * count, (epoch + 1) * count)
    assert sorted(found.tolist()) == list(range(count))


def test_epochs_and_seeds_differ():
    stream, other = EpochStream(ShuffledEpochs(50, 1)), EpochStream(ShuffledEpochs(50, 2))
    first, second = stream.indices(0, 50), stream.indices(50, 100)
    assert (first != second).any() and (first != other.indices(0, 50)).any()


def test_an_order_is_the_same_on_every_machine():
    # Written down once: a training that is resumed after an update must go on in the same order.
    assert ShuffledEpochs(10, 7).order(3).tolist() == [5, 9, 8, 0, 4, 3, 7, 1, 6, 2]


@settings(max_examples=25, deadline=None)
@given(count=counts, seed=seeds, size=st.integers(1, 5), start=st.integers(0, 150))
def test_a_stream_can_be_taken_up_anywhere(count, seed, size, start):
    for name, stream in streams(count, seed, size).items():
        whole = stream.indices(0, 160)
        fresh = streams(count, seed, size)[name]
        assert fresh.indices(start, 160).tolist() == whole[start:].tolist(), name
        assert fresh.indices(0, start).tolist() == whole[:start].tolist(), name


@given(
    count=counts,
    seed=seeds,
    size=st.integers(1, 4),
    accumulate=st.integers(1, 3),
    world_size=st.integers(1, 4),
    step=st.integers(0, 20),
)
def test_processes_share_a_step_between_them(count, seed, size, accumulate, world_size, step):
    stream = EpochStream(ShuffledEpochs(count, seed))
    batches = {}
    for rank in range(world_size):
        share = Share(size, accumulate, rank, world_size)
        for number in share.numbers():
            batches[number] = share.draws(stream, seed, step, number)
    images = size * accumulate * world_size
    in_order = [draw for number in sorted(batches) for draw in batches[number].draws]
    assert [draw.position for draw in in_order] == list(range(step * images, (step + 1) * images))
    assert len({draw.seed for draw in in_order}) == images
    alone = Share(size, accumulate * world_size)
    assert batches == {n: alone.draws(stream, seed, step, n) for n in alone.numbers()}


@settings(max_examples=50, deadline=None)
@given(count=counts, seed=seeds, size=st.integers(1, 5))
def test_groups_lose_and_repeat_nothing(count, seed, size):
    groups = np.random.default_rng(seed % 997).integers(0, 2, count)
    epochs = ShuffledEpochs(count, seed)
    base = EpochStream(epochs).indices(0, 20 * count)
    waiting: dict[int, list[int]] = {0: [], 1: []}
    expected = []  # what Detectron2's grouping makes of the same order
    for image in base.tolist():
        group = waiting[int(groups[image])]
        group.append(image)
        if len(group) == size:
            expected += group
            group.clear()
    found = GroupedStream(epochs, groups, size).indices(0, len(expected))
    assert found.tolist() == expected


def test_square_images_are_no_wide_ones():
    found = orientations(np.array([3, 2, 2]), np.array([2, 3, 2]))
    assert found.tolist() == [0, 1, 1]


@given(count=st.integers(5, 40), seed=seeds, images=st.integers(1, 5))
def test_whole_steps_leave_the_rest_of_an_epoch_out(count, seed, images):
    stream = EpochStream(WholeSteps(ShuffledEpochs(count, seed), images))
    size = count // images * images
    for epoch in range(3):
        found = stream.indices(epoch * size, (epoch + 1) * size).tolist()
        assert len(set(found)) == size
        whole = ShuffledEpochs(count, seed).order(epoch).tolist()
        assert found == whole[:size]


def test_repeat_factors_by_hand():
    # Category 0 in all of 4 images, 1 in one of them (share 0.25), 2 in two (0.5).
    images, labels = np.array([0, 1, 2, 3, 1, 2, 3]), np.array([0, 0, 0, 0, 1, 2, 2])
    factors = repeat_factors(images, labels, 4, threshold=0.5)
    assert factors == pytest.approx([1, 2**0.5, 1, 1])
    assert repeat_factors(images, labels, 4, 1.0) == pytest.approx([1, 2, 2**0.5, 2**0.5])


def test_an_image_without_categories_comes_once():
    assert repeat_factors(np.array([0]), np.array([1]), 3, 1.0) == pytest.approx([3**0.5, 1, 1])


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_fractions_are_drawn_anew_for_each_epoch(seed):
    epochs = RepeatedEpochs(np.array([1.0, 2.0, 1.5, 2.25]), seed)
    repeats = np.array([epochs.repeats(epoch) for epoch in range(400)])
    assert (repeats[:, 0] == 1).all() and (repeats[:, 1] == 2).all()
    assert set(repeats[:, 2]) == {1, 2} and set(repeats[:, 3]) == {2, 3}
    assert repeats.mean(axis=0) == pytest.approx([1, 2, 1.5, 2.25], abs=0.15)
    for epoch in range(3):
        found = np.bincount(epochs.order(epoch), minlength=4)
        assert found.tolist() == repeats[epoch].tolist()


@given(
    weights=st.lists(st.floats(0.01, 10), min_size=1, max_size=4),
    size=st.integers(1, 3),
    seed=seeds,
)
@settings(max_examples=30, deadline=None)
def test_a_mixture_has_its_shares_and_every_stream_in_its_order(weights, size, seed):
    parts = [_Counting(1_000_000 * number) for number in range(len(weights))]
    stream = MixedStream(parts, weights, size, seed)
    batches = stream.indices(0, 600 * size).reshape(-1, size)
    of = batches // 1_000_000
    assert (of == of[:, :1]).all()  # a batch is of one stream
    shares = np.array(weights) / sum(weights)
    for number, share in enumerate(shares):
        own = batches[of[:, 0] == number].reshape(-1)
        assert own.tolist() == list(range(1_000_000 * number, 1_000_000 * number + len(own)))
        block = max(64, int(np.ceil(2 / shares.min())))
        if block <= 600:
            assert abs(len(own) / size - 600 * share) <= block * min(share, 1 - share) + 1.01


class _Counting:
    """A stream that says its positions, from a number on."""

    def __init__(self, start: int) -> None:
        self._start = start

    def indices(self, start, stop):
        return np.arange(start, stop) + self._start

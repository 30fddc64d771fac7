from __future__ import annotations

import numpy as np
import pytest

from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64

# The first outputs of the published generator for the seed 0 (Vigna's splitmix64.c).
OF_SEED_0 = (
    0xE220A8397B1DCDAF,
    0x6E789E6AA1B965F4,
    0x06C45D188009454F,
    0xF88BB8A8724C81EC,
    0x1B39896A51A8749B,
)


def test_the_published_stream() -> None:
    random = SplitMix64()
    assert tuple(random.word() for _ in OF_SEED_0) == OF_SEED_0
    assert SplitMix64().words(5).tolist() == list(OF_SEED_0)


def test_words_continue_the_stream_of_word() -> None:
    one, many = SplitMix64(3, 1), SplitMix64(3, 1)
    expected = [one.word() for _ in range(20)]
    assert [many.word(), *many.words(18).tolist(), many.word()] == expected


def test_octets_are_the_words_bytes_lowest_first() -> None:
    assert SplitMix64().octets(10).tolist() == [
        *OF_SEED_0[0].to_bytes(8, "little"),
        *OF_SEED_0[1].to_bytes(8, "little")[:2],
    ]


def test_every_part_of_the_key_counts() -> None:
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1), (1 << 40, 1)]
    assert len({SplitMix64(*key).word() for key in keys}) == len(keys)


def test_between_reaches_both_ends_evenly() -> None:
    random = SplitMix64(7)
    counts = np.bincount([random.between(-2, 3) + 2 for _ in range(6000)], minlength=6)
    assert len(counts) == 6
    assert counts.min() > 850 and counts.max() < 1150


def test_weighted_follows_the_weights_and_never_picks_a_zero() -> None:
    random = SplitMix64(8)
    counts = np.bincount([random.weighted((3, 0, 1)) for _ in range(4000)], minlength=3)
    assert counts[1] == 0
    assert counts[0] == pytest.approx(3000, abs=150)

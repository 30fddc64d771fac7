"""How many of each kind are drawn of each image, and that the draw is random."""

from __future__ import annotations

import torch

from benchsuite_plugins.models.sampler import sample_candidates


def test_positives_first_then_negatives_up_to_the_size() -> None:
    # Image 0: 6 positives, 4 negatives, 2 ignored; image 1: 1 and 9; image 2: none and 2.
    labels = torch.tensor([1] * 6 + [0] * 4 + [-1] * 2 + [1] + [0] * 9 + [0] * 2)
    image_index = torch.tensor([0] * 12 + [1] * 10 + [2] * 2)
    drawn = sample_candidates(labels, image_index, 4, batch_size_per_image=6, positive_fraction=0.5)
    assert len(drawn.unique()) == len(drawn)
    counts = torch.zeros(4, 3, dtype=torch.int64)
    counts.index_put_((image_index[drawn], labels[drawn]), torch.tensor(1), accumulate=True)
    # An image a row: negatives, positives, ignored.
    assert counts.tolist() == [[3, 3, 0], [5, 1, 0], [2, 0, 0], [0, 0, 0]]
    assert labels[drawn].tolist() == sorted(labels[drawn].tolist(), reverse=True)


def test_draws_follow_the_generator() -> None:
    labels, image_index = torch.zeros(100, dtype=torch.int64), torch.zeros(100, dtype=torch.int64)

    def draw(seed: int) -> list[int]:
        drawn = sample_candidates(
            labels,
            image_index,
            1,
            batch_size_per_image=10,
            positive_fraction=0.5,
            generator=torch.Generator().manual_seed(seed),
        )
        return sorted(drawn.tolist())

    assert draw(0) == draw(0)
    assert draw(0) != draw(1)


def test_no_candidates() -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    drawn = sample_candidates(nothing, nothing, 2, batch_size_per_image=4, positive_fraction=0.5)
    assert drawn.shape == (0,)

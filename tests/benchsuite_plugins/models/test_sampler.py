"""How many of each kind are drawn of each image, and that a draw hangs on its own image alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from benchsuite.protocols import ModelRequest
from benchsuite.records import Image
from benchsuite.targets import Target
from benchsuite_plugins.models import proposal_labels, rpn_losses
from benchsuite_plugins.models.mask_rcnn import create
from benchsuite_plugins.models.sampler import sample_candidates
from benchsuite_plugins.models.target_batch import collate_targets


def generators(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def test_positives_first_then_negatives_up_to_the_size() -> None:
    # Image 0: 6 positives, 4 negatives, 2 ignored; image 1: 1 and 9; image 2: none and 2.
    labels = torch.tensor([1] * 6 + [0] * 4 + [-1] * 2 + [1] + [0] * 9 + [0] * 2)
    image_index = torch.tensor([0] * 12 + [1] * 10 + [2] * 2)
    drawn = sample_candidates(
        labels, image_index, generators(0, 0, 0, 0), batch_size_per_image=6, positive_fraction=0.5
    )
    assert len(drawn.unique()) == len(drawn)
    counts = torch.zeros(4, 3, dtype=torch.int64)
    counts.index_put_((image_index[drawn], labels[drawn]), torch.tensor(1), accumulate=True)
    # An image a row: negatives, positives, ignored.
    assert counts.tolist() == [[3, 3, 0], [5, 1, 0], [2, 0, 0], [0, 0, 0]]
    assert labels[drawn].tolist() == sorted(labels[drawn].tolist(), reverse=True)


def draw(labels: Tensor, image_index: Tensor, *seeds: int) -> list[int]:
    drawn = sample_candidates(
        labels, image_index, generators(*seeds), batch_size_per_image=20, positive_fraction=0.25
    )
    return sorted(drawn.tolist())


def test_a_draw_hangs_on_its_own_image_and_seed() -> None:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 2, (300,), generator=random)
    image_index = torch.arange(300) // 100
    alone = draw(labels[100:200], image_index[:100], 7)
    together = draw(labels, image_index, 1, 7, 2)
    assert [row - 100 for row in together if 100 <= row < 200] == alone
    assert draw(labels[100:200], image_index[:100], 8) != alone


def test_every_candidate_is_as_likely_as_any_other() -> None:
    labels, image_index = torch.zeros(40, dtype=torch.int64), torch.zeros(40, dtype=torch.int64)
    rows = [row for seed in range(500) for row in draw(labels, image_index, seed)]
    # Half of them each time: 250 of 500, with a standard deviation of 11.
    assert abs(np.bincount(rows, minlength=40) - 250).max() < 50


def test_no_candidates() -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    assert draw(nothing, nothing, 0, 1) == []


def test_targets_without_seeds_follow_torchs_global_generator() -> None:
    def first(seed: int, target: Target) -> list[int]:
        torch.manual_seed(seed)
        truth = collate_targets([target, target], torch.zeros(2, 3, 8, 8))
        return [int(generator.integers(2**60)) for generator in truth.generators]

    assert first(0, Target()) == first(0, Target()) != first(1, Target())
    assert len(set(first(0, Target()))) == 2
    assert first(0, Target(seed=5)) == first(1, Target(seed=5))


def test_a_batch_of_two_draws_what_two_batches_of_one_draw(
    narrow_request: ModelRequest,
    make_image: Callable[[int, int], Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[list[list[int]]] = []

    def spied(labels: Tensor, image_index: Tensor, *args: object, **rest: object) -> Tensor:
        rows = sample_candidates(labels, image_index, *args, **rest)  # type: ignore[arg-type]
        images = image_index[rows]
        # Candidates counted from their own image's first.
        own = rows - torch.searchsorted(image_index, images)
        drawn.append([sorted(own[images == i].tolist()) for i in images.unique()])
        return rows

    for module in (rpn_losses, proposal_labels):
        monkeypatch.setattr(module, "sample_candidates", spied)
    model = create(narrow_request).train()
    images = [make_image(64, 96), make_image(64, 96 - 20)]
    square = [[8, 8, 40, 40]]
    outline = [[[8, 8, 40, 8, 40, 40, 8, 40]]]
    targets = [replace(Target(square, [1], masks=outline), seed=seed) for seed in (3, 4)]
    # Padded alike, so that both have the same anchors.
    for image, target in zip(images, targets, strict=True):
        model.losses([image], [target])
    model.losses(images, targets)
    first, second, both = drawn[:2], drawn[2:4], drawn[4:]
    assert len(both) == 2 and all(len(step[0]) > 100 for step in (*first, *second))
    assert both == [[*a, *b] for a, b in zip(first, second, strict=True)]

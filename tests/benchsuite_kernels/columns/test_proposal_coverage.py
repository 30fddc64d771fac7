"""How proposals cover truths, both implementations, against the greedy definition in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from benchsuite_kernels.columns import proposal_coverage as module
from benchsuite_kernels.columns.proposal_coverage import proposal_coverage
from benchsuite_kernels.dispatch import native


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(module, "native", lambda: extension if request.param == "c++" else None)
    return request.param


def covered(boxes: np.ndarray, truths: np.ndarray) -> list[float]:
    """Take the best pair of all that are left, until one side is used up."""
    ious = box_iou(torch.from_numpy(boxes), torch.from_numpy(truths))
    found = torch.zeros(len(truths))
    for _ in range(min(ious.shape)):
        # By truth first, so that of equal pairs that of the first truth is taken.
        place = int(ious.T.argmax())
        truth, proposal = divmod(place, len(boxes))
        found[truth] = ious[proposal, truth]
        ious[proposal], ious[:, truth] = -1, -1
    return found.tolist()


def boxes_of(random: np.random.Generator, count: int) -> np.ndarray:
    corner, size = random.integers(0, 6, (count, 2)), random.integers(1, 8, (count, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)


def test_the_best_pair_is_taken_first() -> None:
    random = np.random.default_rng(0)
    groups, truth_groups = random.integers(0, 12, 300), random.integers(-2, 10, 60)
    scores = random.integers(0, 9, 300) / 9
    boxes, truths = boxes_of(random, 300), boxes_of(random, 60)
    counted = random.random((3, 60)) < [[1.0], [0.6], [0.0]]
    limits = np.array([2, 1000, 0])
    found = proposal_coverage(
        groups, scores, boxes, truth_groups, truths, counted, limits, threads=3
    )
    assert found.dtype == np.float32
    want = np.full(found.shape, np.nan, np.float32)
    for group in range(10):
        rows = np.flatnonzero(groups == group)
        best_first = rows[np.argsort(-scores[rows], kind="stable")]
        for place, limit in enumerate(limits):
            for subset in range(3):
                own = np.flatnonzero((truth_groups == group) & counted[subset])
                want[place, subset, own] = covered(boxes[best_first[:limit]], truths[own])
    np.testing.assert_array_equal(found, want)
    assert np.isnan(want[1, 0, truth_groups < 0]).all()
    assert (want[1, 0] > 0).sum() > 30


def test_arrays_that_do_not_fit_are_errors() -> None:
    groups, scores = np.zeros(1, np.int64), np.zeros(1)
    boxes, counted = np.zeros((1, 4), np.float32), np.ones((1, 1), np.bool_)
    with pytest.raises(ValueError, match="boxes is not a float32 array"):
        proposal_coverage(
            groups, scores, boxes.astype(float), groups, boxes, counted, groups, threads=1
        )
    with pytest.raises(ValueError, match="-1 proposals of an image cannot count"):
        proposal_coverage(groups, scores, boxes, groups, boxes, counted, groups - 1, threads=1)

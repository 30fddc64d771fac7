"""Soft-NMS, worked out by hand and against a loop in float64 over torchvision's overlaps."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor

from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, thread_order
from benchsuite_kernels.dispatch import serving
from benchsuite_kernels.ops import nms_per_image, soft_nms
from benchsuite_kernels.ops.soft_nms import METHODS

ABSENT = float("-inf")


def candidates(images: int, count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(max(count // 10, 1), 2, generator=generator) * 200
    objects = torch.cat([corners, corners + 20 + 60 * torch.rand_like(corners)], dim=1)
    chosen = torch.randint(0, len(objects), (images, count), generator=generator)
    boxes = objects[chosen] + torch.randn(images, count, 4, generator=generator) * 5
    scores = torch.rand(images, count, generator=generator)
    groups = torch.randint(0, 3, (images, count), generator=generator)
    return boxes, scores, groups


def by_a_loop(
    boxes: Tensor, scores: Tensor, groups: Tensor, limit: int, method: str, **options: float
) -> list[tuple[int, float]]:
    """Places and new scores of one image."""
    overlaps = torchvision.ops.box_iou(boxes.double(), boxes.double()).tolist()
    left = {place: score for place, score in enumerate(scores.tolist()) if score >= 0}
    taken = []
    while len(taken) < limit:
        left = {place: score for place, score in left.items() if score > options["min_score"]}
        if not left:
            break
        best = max(left, key=lambda place: left[place])
        taken.append((best, left.pop(best)))
        for place in left:
            overlap = overlaps[best][place]
            if groups[place] != groups[best]:
                continue
            if method == "gaussian":
                left[place] *= math.exp(-(overlap**2) / options["sigma"])
            elif overlap > options["iou_threshold"]:
                left[place] *= 1 - overlap if method == "linear" else 0
    return taken


def as_lists(index: Tensor, counts: Tensor) -> list[list[int]]:
    for row, count in zip(index.tolist(), counts.tolist(), strict=True):
        assert row[count:] == [-1] * (len(row) - count)
    return [row[:count] for row, count in zip(index.tolist(), counts.tolist(), strict=True)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("images", "count", "limit"), [(1, 1, 5), (3, 40, 40), (2, 70, 12)])
def test_equals_the_loop(
    implementation: str, method: str, images: int, count: int, limit: int
) -> None:
    boxes, scores, groups = candidates(images, count)
    scores[:, 3::7] = ABSENT
    options = {"iou_threshold": 0.4, "sigma": 0.3, "min_score": 0.02}
    index, new_scores, counts = soft_nms(boxes, scores, groups, limit, method=method, **options)
    assert index.shape == new_scores.shape == (images, limit)
    assert index.dtype == counts.dtype == torch.int64
    for image, places in enumerate(as_lists(index, counts)):
        want = by_a_loop(boxes[image], scores[image], groups[image], limit, method, **options)
        assert places == [place for place, _ in want]
        torch.testing.assert_close(
            new_scores[image, : len(want)],
            torch.tensor([score for _, score in want]),
            rtol=3e-6,
            atol=0,
        )
        assert not new_scores[image, len(want) :].any()


@pytest.mark.parametrize(
    ("method", "places", "scores"),
    [
        # Box 1 overlaps box 0 by 1/3; box 2 is box 0 in another group; box 3 lies apart.
        ("hard", [0, 2, 3], [0.9, 0.7, 0.5]),
        ("linear", [0, 2, 1, 3], [0.9, 0.7, 0.8 * 2 / 3, 0.5]),
        ("gaussian", [0, 2, 1, 3], [0.9, 0.7, 0.8 * math.exp(-2 / 9), 0.5]),
    ],
)
def test_by_hand(implementation: str, method: str, places: list[int], scores: list[float]) -> None:
    boxes = torch.tensor([[[0.0, 0, 4, 4], [2, 0, 6, 4], [0, 0, 4, 4], [9, 9, 12, 12]]])
    given: Any = (boxes, torch.tensor([[0.9, 0.8, 0.7, 0.5]]), torch.tensor([0, 0, 1, 0]))
    index, new_scores, counts = soft_nms(*given, 4, method=method)
    assert as_lists(index, counts) == [places]
    torch.testing.assert_close(new_scores[0, : len(places)], torch.tensor(scores))


def test_hard_is_greedy_suppression(implementation: str) -> None:
    boxes, scores, groups = candidates(2, 90, seed=1)
    index, new_scores, counts = soft_nms(
        boxes, scores, groups, 90, method="hard", iou_threshold=0.5, min_score=0.0
    )
    want = nms_per_image(boxes, scores, groups, 0.5, 90)
    assert torch.equal(index, want[0])
    assert torch.equal(counts, want[1])
    assert torch.equal(new_scores[index >= 0], scores.gather(1, index.clamp(min=0))[index >= 0])


def test_ties_and_what_is_absent(implementation: str) -> None:
    nan = math.nan
    apart = torch.arange(6.0)[:, None] * 10 + torch.tensor([0.0, 0, 5, 5])
    scores = torch.tensor([[0.5, nan, -0.1, 0.5, 0.125, 0.7]])
    groups = torch.zeros(6, dtype=torch.int64)
    index, _, counts = soft_nms(apart[None], scores, groups, 6, min_score=0.125)
    assert as_lists(index, counts) == [[5, 0, 3]]
    apart[5, 0] = nan  # it overlaps nothing
    index, new_scores, counts = soft_nms(
        apart[None], scores, groups, 6, method="gaussian", min_score=0.125
    )
    assert as_lists(index, counts) == [[5, 0, 3]]
    torch.testing.assert_close(new_scores[0, :3], torch.tensor([0.7, 0.5, 0.5]))


def test_more_candidates_than_threads(implementation: str) -> None:
    boxes, scores, groups = candidates(1, 1300, seed=2)
    options = {"iou_threshold": 0.3, "sigma": 0.5, "min_score": 0.001}
    want = by_a_loop(boxes[0], scores[0], groups[0], 20, "linear", **options)
    index, _, counts = soft_nms(boxes, scores, groups, 20)
    assert as_lists(index, counts) == [[place for place, _ in want]]


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_threads_changes_nothing(order: str) -> None:
    if problem := emulation_problem():
        pytest.skip(problem)
    given = candidates(2, 80, seed=4)
    with serving("reference"):
        want = soft_nms(*given, 30)
    with serving("emulated"), thread_order(order, 3):
        found = soft_nms(*given, 30)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, want, strict=True))


def test_nothing_in_nothing_out(implementation: str) -> None:
    for images, count, limit in [(0, 5, 3), (2, 0, 3), (2, 5, 0)]:
        index, new_scores, counts = (
            soft_nms(*candidates(2, 5), 0)
            if limit == 0
            else soft_nms(
                torch.zeros(images, count, 4),
                torch.zeros(images, count),
                torch.zeros(images, count, dtype=torch.int64),
                limit,
            )
        )
        assert index.shape == new_scores.shape == (images, limit)
        assert counts.tolist() == [0] * images


def test_float64_is_served_by_the_reference() -> None:
    boxes, scores, groups = candidates(1, 30, seed=3)
    options = {"iou_threshold": 0.3, "sigma": 0.5, "min_score": 0.001}
    want = by_a_loop(boxes[0].double(), scores[0].double(), groups[0], 30, "gaussian", **options)
    index, new_scores, counts = soft_nms(
        boxes.double(), scores.double(), groups, 30, method="gaussian"
    )
    assert as_lists(index, counts) == [[place for place, _ in want]]
    found = new_scores[0, : len(want)].tolist()
    assert found == pytest.approx([score for _, score in want], rel=1e-13)


def test_is_traced_without_values() -> None:
    arguments = (*candidates(2, 6), 4, 1, 0.3, 0.5, 0.001)
    torch.library.opcheck(torch.ops.benchsuite.soft_nms.default, arguments)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"limit": -1}, "limit=-1"),
        ({"method": "quadratic"}, "'quadratic' is not one of hard, linear, gaussian"),
        ({"sigma": 0.0}, r"sigma=0\.0"),
        ({"min_score": -0.1}, r"min_score=-0\.1"),
        ({"scores": torch.zeros(2, 4)}, "not \\(N, M, 4\\)"),
        ({"groups": torch.zeros(2, dtype=torch.int64)}, "groups \\(2,\\)"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    boxes, scores, groups = candidates(2, 5)
    given = {"boxes": boxes, "scores": scores, "groups": groups, "limit": 3} | changed
    with pytest.raises(ValueError, match=message):
        soft_nms(**given)

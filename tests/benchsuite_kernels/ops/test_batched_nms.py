"""Non-maximum suppression against torchvision and exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.ops import batched_nms


def clustered_boxes(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes around a few objects, as a detector gives them, and their scores, all different."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(max(count // 20, 1), 2, generator=generator) * 800
    sizes = torch.rand(len(corners), 2, generator=generator) * 200 + 8
    objects = torch.cat([corners, corners + sizes], dim=1)
    boxes = objects[torch.randint(0, len(objects), (count,), generator=generator)]
    boxes = boxes + torch.randn(count, 4, generator=generator) * 8
    return boxes, torch.randperm(count, generator=generator) / count


@pytest.mark.parametrize("count", [1, 2, 17, 500, 4741])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_keeps_what_torchvision_keeps(implementation: str, count: int, threshold: float) -> None:
    boxes, scores = clustered_boxes(count)
    groups = torch.arange(count) % 5
    kept = batched_nms(boxes, scores, groups, threshold)
    want = torch.cat(
        [
            members[torchvision.ops.nms(boxes[members], scores[members], threshold)]
            for members in (torch.nonzero(groups == group).squeeze(1) for group in range(5))
        ]
    )
    assert kept.dtype == torch.int64
    assert sorted(kept.tolist()) == sorted(want.tolist())
    assert torch.equal(scores[kept], scores[kept].sort(descending=True).values)
    if count > 1000:  # a loop a group there too; below, boxes are moved apart and rounded
        assert torch.equal(kept, torchvision.ops.batched_nms(boxes, scores, groups, threshold))


box = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 8), st.integers(0, 8)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(box, st.integers(0, 3), st.integers(-2, 1)), max_size=25),
    st.sampled_from([0.25, 0.5, 0.75]),
)
def test_equals_exact_arithmetic_with_ties(
    implementation: str, rows: list[tuple[tuple[int, ...], int, int]], threshold: float
) -> None:
    boxes = torch.tensor([row[0] for row in rows], dtype=torch.float32).reshape(-1, 4)
    scores = torch.tensor([row[1] for row in rows], dtype=torch.float32)
    groups = torch.tensor([row[2] for row in rows], dtype=torch.int64)
    want: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: -rows[i][1]):
        if all(
            rows[i][2] != rows[j][2] or overlap(rows[i][0], rows[j][0]) <= Fraction(threshold)
            for j in want
        ):
            want.append(i)
    assert batched_nms(boxes, scores, groups, threshold).tolist() == want


def overlap(a: tuple[int, ...], b: tuple[int, ...]) -> Fraction:
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return Fraction(width * height, areas - width * height) if width * height else Fraction(0)


def test_nothing_in_nothing_out(implementation: str) -> None:
    kept = batched_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5)
    assert kept.shape == (0,)
    assert kept.dtype == torch.int64


def test_nan_scores_come_first_and_nan_boxes_drop_nothing(implementation: str) -> None:
    nan = float("nan")
    boxes = torch.tensor([[0.0, 0, 9, 9], [0.0, 0, 9, 9], [nan, 0, 9, 9], [0.0, 0, 9, 9]])
    scores = torch.tensor([0.5, nan, 0.9, -0.5])
    assert batched_nms(boxes, scores, torch.zeros(4, dtype=torch.int64), 0.5).tolist() == [1, 2]


def test_zero_and_minus_zero_are_equal_scores(implementation: str) -> None:
    boxes = torch.tensor([[0.0, 0, 1, 1], [2.0, 0, 3, 1], [4.0, 0, 5, 1]])
    scores = torch.tensor([-0.0, 0.0, -0.0])
    assert batched_nms(boxes, scores, torch.arange(3), 0.5).tolist() == [0, 1, 2]


def test_groups_may_be_any_integers(implementation: str) -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9]]).expand(4, 4)
    groups = torch.tensor([-(2**62), 2**62, -(2**62), 0])
    scores = torch.tensor([0.1, 0.2, 0.3, 0.4])
    assert batched_nms(boxes, scores, groups, 0.5).tolist() == [3, 2, 1]


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    boxes, scores = clustered_boxes(12000)
    groups = torch.arange(12000) % 7
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = batched_nms(boxes, scores, groups, 0.6)
        torch.set_num_threads(threads)
        assert torch.equal(batched_nms(boxes, scores, groups, 0.6), alone)
    finally:
        torch.set_num_threads(before)


def test_other_dtypes_are_served_by_the_reference() -> None:
    boxes, scores = clustered_boxes(50)
    reset_served()
    kept = batched_nms(boxes.double(), scores.double(), torch.zeros(50, dtype=torch.int64), 0.5)
    assert served() == {"batched_nms": "reference"}
    assert torch.equal(kept, torchvision.ops.nms(boxes.double(), scores.double(), 0.5))


@pytest.mark.parametrize("shapes", [((3, 5), (3,), (3,)), ((3, 4), (2,), (3,)), ((3, 4), (3,), ())])
def test_shapes_that_do_not_fit_are_refused(
    implementation: str, shapes: tuple[tuple[int, ...], ...]
) -> None:
    boxes, scores, groups = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match="not \\(N, 4\\)"):
        batched_nms(boxes, scores, groups.long(), 0.5)

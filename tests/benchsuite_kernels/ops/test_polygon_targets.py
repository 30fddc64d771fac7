"""Polygons as regions see them, against pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, thread_order
from benchsuite_kernels.dispatch import serving
from benchsuite_kernels.ops import polygon_targets

Mask = list[NDArray[np.float64]]


def drawn(masks: list[Mask], matched: list[int], boxes: torch.Tensor, size: int) -> torch.Tensor:
    polygons = [polygon for mask in masks for polygon in mask]
    points = np.concatenate([np.zeros((0, 2)), *polygons])
    return polygon_targets(
        torch.from_numpy(points),
        torch.tensor(np.cumsum([0, *map(len, polygons)])),
        torch.tensor(np.cumsum([0, *map(len, masks)])),
        torch.tensor(matched, dtype=torch.int64),
        boxes,
        size,
    )


def by_pycocotools(mask: Mask, box: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    """Detectron2's steps, in its dtypes: regions are float32, points float64."""
    if not mask:
        return np.zeros((size, size), np.uint8)
    width, height = (np.maximum(side, np.float32(0.1)) for side in box[2:] - box[:2])
    ratio = np.array([np.float32(size) / width, np.float32(size) / height])
    moved = [((points - box[:2]) * ratio).ravel().tolist() for points in mask]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(moved, size, size)))


def scene(seed: int, count: int) -> tuple[list[Mask], list[int], torch.Tensor]:
    """Ragged polygons, some of several pieces and some of none, and regions about them."""
    random = np.random.default_rng(seed)
    masks = []
    for _ in range(count):
        centre, radius = random.uniform(0, 100, 2), random.uniform(1, 60)
        masks.append(
            [
                centre + random.normal(0, radius / 2, 2) + random.normal(0, radius, (corners, 2))
                for corners in random.integers(3, 14, random.integers(0, 4))
            ]
        )
    matched = random.integers(0, count, 2 * count)
    corner = random.uniform(-30, 80, (2 * count, 2))
    boxes = np.concatenate([corner, corner + random.exponential(40, corner.shape)], axis=1)
    return masks, matched.tolist(), torch.from_numpy(boxes.astype(np.float32))


@pytest.mark.parametrize("size", [1, 2, 14, 28, 56])
def test_cells_are_those_of_pycocotools(implementation: str, size: int) -> None:
    masks, matched, boxes = scene(size, 20)
    targets = drawn(masks, matched, boxes, size)
    assert targets.shape == (40, size, size) and targets.dtype == torch.bool
    for target, index, box in zip(targets.numpy(), matched, boxes.numpy(), strict=True):
        np.testing.assert_array_equal(target, by_pycocotools(masks[index], box, size))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(-40, 90)] * 2), min_size=3, max_size=7),
        min_size=1,
        max_size=3,
    ),
    st.tuples(*[st.floats(-20, 60, width=32)] * 4),
    st.integers(1, 30),
)
def test_any_polygons_in_any_region(
    implementation: str,
    polygons: list[list[tuple[float, float]]],
    box: tuple[float, ...],
    size: int,
) -> None:
    mask = [np.array(points) for points in polygons]
    boxes = torch.tensor([box])
    (target,) = drawn([mask], [0], boxes, size)
    np.testing.assert_array_equal(target.numpy(), by_pycocotools(mask, boxes[0].numpy(), size))


def test_a_large_grid(implementation: str) -> None:
    masks, matched, boxes = scene(9, 2)
    targets = drawn(masks, matched, boxes, 150)
    for target, index, box in zip(targets.numpy(), matched, boxes.numpy(), strict=True):
        np.testing.assert_array_equal(target, by_pycocotools(masks[index], box, 150))


@pytest.mark.parametrize(
    "box",
    [
        (float("nan"), 0.0, 10.0, 10.0),
        (0.0, 0.0, 10.0, float("nan")),
        (-float("inf"), 0.0, 10.0, 10.0),
        (-3e38, 0.0, -2e38, 10.0),
        (1e9, 0.0, 1e9, 10.0),
    ],
)
def test_what_cannot_be_drawn_is_empty(implementation: str, box: tuple[float, ...]) -> None:
    square = np.array([[0.0, 0], [9, 0], [9, 9], [0, 9]])
    boxes = torch.tensor([box, (0.0, 0.0, 9.0, 9.0)])
    targets = drawn([[square]], [0, 0], boxes, 4)
    assert not targets[0].any() and targets[1].all()


def test_a_region_without_extent_has_the_shortest_side(implementation: str) -> None:
    square = np.array([[0.0, 0], [9, 0], [9, 9], [0, 9]])
    boxes = torch.tensor([[4.0, 4, 4, 4], [8.95, 3, 8.95, 3], [5, 5, 3, 2]])
    targets = drawn([[square]], [0, 0, 0], boxes, 10)
    assert targets[0].all() and targets[2].all()
    assert targets[1, :, :5].all() and not targets[1, :, 5:].any()


def test_nothing(implementation: str) -> None:
    assert drawn([], [], torch.zeros(0, 4), 28).shape == (0, 28, 28)
    assert not drawn([[]], [0], torch.tensor([[0.0, 0, 5, 5]]), 3).any()


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    masks, matched, boxes = scene(3, 20)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = drawn(masks, matched, boxes, 14)
        torch.set_num_threads(threads)
        assert torch.equal(drawn(masks, matched, boxes, 14), alone)
    finally:
        torch.set_num_threads(before)


def test_bad_input_is_refused(implementation: str) -> None:
    starts, box = torch.tensor([0, 3]), torch.tensor([[0.0, 0, 5, 5]])
    points, one = torch.zeros(3, 2, dtype=torch.float64), torch.tensor([0, 1])
    zero = torch.tensor([0])
    with pytest.raises(ValueError, match="are not"):
        polygon_targets(points, starts, one, zero, box[:, :3], 4)
    with pytest.raises(ValueError, match="size=0"):
        polygon_targets(points, starts, one, zero, box, 0)
    with pytest.raises(ValueError, match="are not"):
        polygon_targets(points[:, :1], starts, one, zero, box, 4)
    with pytest.raises(ValueError, match="float64"):
        polygon_targets(points.float(), starts, one, zero, box, 4)
    if implementation == "emulated":  # a device tells no error
        assert not polygon_targets(points, starts, one, zero + 1, box, 4).any()
        return
    with pytest.raises(ValueError, match="outside 0 to 0"):
        polygon_targets(points, starts, one, zero + 1, box, 4)


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_threads_draws_the_same(order: str) -> None:
    if problem := emulation_problem():
        pytest.skip(problem)
    masks, matched, boxes = scene(4, 10)
    with serving("reference"):
        want = drawn(masks, matched, boxes, 14)
    with serving("emulated"), thread_order(order, 3):
        assert torch.equal(drawn(masks, matched, boxes, 14), want)

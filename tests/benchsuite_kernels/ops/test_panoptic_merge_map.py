"""Panoptic maps against the rule written down pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from benchsuite_kernels import ops
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, thread_order
from benchsuite_kernels.dispatch import serving
from benchsuite_kernels.ops import PanopticSegments

LIMITS = {"overlap_thresh": 0.5, "stuff_area_limit": 4, "score_thresh": 0.5}


def merged(
    masks: torch.Tensor, scores: torch.Tensor, semantic: torch.Tensor, classes: int, **limits: float
) -> PanopticSegments:
    """By packed bits and by run lengths, which must be the same."""
    limits = LIMITS | limits
    columns = np.asfortranarray(masks.numpy().astype(np.uint8).transpose(1, 2, 0))
    counts = [each["counts"] for each in coco_mask.encode(columns)]
    packed = ops.panoptic_merge(ops.pack_masks(masks), scores, semantic, classes, **limits)
    by_runs = ops.panoptic_merge_rle(counts, scores, semantic, classes, **limits)
    for one, other in zip(packed, by_runs, strict=True):
        assert one.dtype == other.dtype == torch.int32
        assert torch.equal(one, other)
    return packed


def by_the_rule(
    masks: NDArray[np.bool_],
    scores: NDArray[np.float32],
    semantic: NDArray[np.uint8],
    classes: int,
    overlap_thresh: float,
    stuff_area_limit: int,
    score_thresh: float,
) -> tuple[NDArray[np.int32], list[int], list[int]]:
    ids, number = np.zeros(semantic.shape, np.int32), 0
    instances, stuff = [0] * len(masks), [0] * classes
    for row in sorted(range(len(masks)), key=lambda row: -scores[row]):
        inside = masks[row]
        if scores[row] < np.float32(score_thresh) or not inside.any():
            continue
        if (inside & (ids > 0)).sum() / inside.sum() > overlap_thresh:
            continue
        number += 1
        instances[row] = number
        ids[inside & (ids == 0)] = number
    for label in range(1, classes):
        pixels = (semantic == label) & (ids == 0)
        if pixels.any() and pixels.sum() >= stuff_area_limit:
            number += 1
            stuff[label] = number
            ids[pixels] = number
    return ids, instances, stuff


def scene(
    seed: int, count: int, height: int, width: int, classes: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    masks = np.zeros((count, height, width), bool)
    for mask in masks:
        y, x = np.sort(random.integers(0, height + 1, 2)), np.sort(random.integers(0, width + 1, 2))
        mask[y[0] : y[1], x[0] : x[1]] = random.random((y[1] - y[0], x[1] - x[0])) < 0.9
    scores = (random.integers(6, 20, count) / 20).astype(np.float32)  # some are equal
    semantic = np.kron(random.integers(0, classes, (6, 7)), np.ones((height, width)))
    semantic = semantic[::6, ::7].astype(np.uint8)
    return torch.from_numpy(masks), torch.from_numpy(scores), torch.from_numpy(semantic)


@pytest.mark.parametrize("size", [(17, 23), (64, 33), (70, 90), (1, 40), (40, 1)])
@pytest.mark.parametrize("overlap", [0.5, 0.0, 0.7, 1.0])
def test_maps_follow_the_rule(implementation: str, size: tuple[int, int], overlap: float) -> None:
    masks, scores, semantic = scene(round(10 * overlap), 12, *size, 5)
    found = merged(masks, scores, semantic, 5, overlap_thresh=overlap, stuff_area_limit=30)
    ids, instances, stuff = by_the_rule(
        masks.numpy(), scores.numpy(), semantic.numpy(), 5, overlap, 30, 0.5
    )
    np.testing.assert_array_equal(found.ids.numpy(), ids)
    assert found.instances.tolist() == instances
    assert found.stuff.tolist() == stuff
    assert found.ids.is_contiguous()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.integers(0, 2**31),
    st.integers(0, 9),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 6),
    st.floats(0, 1),
    st.integers(0, 50),
    st.floats(0.2, 1),
)
def test_any_scene(
    implementation: str,
    seed: int,
    count: int,
    size: tuple[int, int],
    classes: int,
    overlap: float,
    least: int,
    score: float,
) -> None:
    masks, scores, semantic = scene(seed, count, *size, classes)
    limits = {"overlap_thresh": overlap, "stuff_area_limit": least, "score_thresh": score}
    found = merged(masks, scores, semantic, classes, **limits)
    wanted = by_the_rule(masks.numpy(), scores.numpy(), semantic.numpy(), classes, **limits)
    np.testing.assert_array_equal(found.ids.numpy(), wanted[0])
    assert (found.instances.tolist(), found.stuff.tolist()) == wanted[1:]


@pytest.mark.parametrize("share", [1 / 3, 2 / 3, 0.1, 0.7])
def test_a_share_that_is_just_the_threshold_stays(implementation: str, share: float) -> None:
    # 30 pixels, of which as many are covered as the threshold's nearest fraction of them.
    masks = torch.zeros(2, 3, 30, dtype=torch.bool)
    covered = round(30 * share)
    masks[0, 0, :covered] = True
    masks[1, 0] = True
    semantic = torch.zeros((3, 30), dtype=torch.uint8)
    found = merged(masks, torch.tensor([0.9, 0.8]), semantic, 1, overlap_thresh=covered / 30)
    assert found.instances.tolist() == [1, 2]
    below = float(np.nextafter(covered / 30, 0))
    found = merged(masks, torch.tensor([0.9, 0.8]), semantic, 1, overlap_thresh=below)
    assert found.instances.tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_dtypes_and_memory_orders_of_the_semantic_map(
    implementation: str, dtype: torch.dtype
) -> None:
    masks, scores, semantic = scene(1, 5, 20, 30, 4)
    want = merged(masks, scores, semantic, 4)
    for one, other in zip(
        merged(masks, scores, semantic.to(dtype).T.contiguous().T, 4), want, strict=True
    ):
        assert torch.equal(one, other)


def test_nothing(implementation: str) -> None:
    semantic = torch.zeros((5, 6), dtype=torch.uint8)
    none = torch.zeros((0, 5, 6), dtype=torch.bool)
    found = merged(none, torch.zeros(0), semantic, 3)
    assert not found.ids.any() and found.instances.shape == (0,)
    assert found.stuff.tolist() == [0, 0, 0]
    found = merged(none, torch.zeros(0), semantic + 2, 3)
    assert (found.ids == 1).all() and found.stuff.tolist() == [0, 0, 1]
    bits = torch.zeros((1, 0), dtype=torch.int64)
    empty = torch.zeros((0, 6), dtype=torch.uint8)
    found = ops.panoptic_merge(bits, torch.ones(1), empty, 3, **LIMITS)
    assert found.ids.shape == (0, 6) and found.instances.tolist() == [0]


def test_a_score_that_is_no_number_is_not_enough(implementation: str) -> None:
    masks, _, semantic = scene(1, 2, 9, 9, 1)
    masks[:] = True
    found = merged(masks, torch.tensor([float("nan"), 0.9]), semantic, 1)
    assert found.instances.tolist() == [0, 1]


def test_bad_input_is_refused(implementation: str) -> None:
    bits, scores = torch.zeros((2, 1), dtype=torch.int64), torch.ones(2)
    semantic = torch.zeros((8, 8), dtype=torch.uint8)
    with pytest.raises(ValueError, match="are not"):
        ops.panoptic_merge(bits, scores[:1], semantic, 3, **LIMITS)
    with pytest.raises(ValueError, match="is not"):
        ops.panoptic_merge(bits, scores, semantic.float(), 3, **LIMITS)
    with pytest.raises(ValueError, match="not enough"):
        ops.panoptic_merge(bits, scores, semantic.repeat(1, 2), 3, **LIMITS)
    with pytest.raises(ValueError, match="classes=0"):
        ops.panoptic_merge(bits, scores, semantic, 0, **LIMITS)
    if implementation == "emulated":  # a device tells no error, and such pixels are nobody's
        assert not ops.panoptic_merge(bits, scores, semantic + 3, 3, **LIMITS).ids.any()
        return
    with pytest.raises(ValueError, match="outside 0 to 2"):
        ops.panoptic_merge(bits, scores, semantic + 3, 3, **LIMITS)


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_threads_gives_the_same_map(order: str) -> None:
    if problem := emulation_problem():
        pytest.skip(problem)
    masks, scores, semantic = scene(2, 12, 70, 90, 5)
    bits = ops.pack_masks(masks)
    with serving("reference"):
        want = ops.panoptic_merge(bits, scores, semantic, 5, **LIMITS)
    with serving("emulated"), thread_order(order, 3):
        found = ops.panoptic_merge(bits, scores, semantic, 5, **LIMITS)
    assert all(map(torch.equal, found, want))


@pytest.mark.parametrize("served_by", ["reference", "c++"])
def test_malformed_run_lengths_have_no_map(served_by: str) -> None:
    semantic = torch.zeros((8, 9), dtype=torch.uint8)
    with serving(served_by), pytest.raises(ValueError, match="cover 63 pixels"):
        ops.panoptic_merge_rle([b"o1"], torch.ones(1), semantic, 3, **LIMITS)

"""Packed masks against pycocotools and plain torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from benchsuite_kernels import ops
from benchsuite_kernels.dispatch import serving

SIZES = [(1, 1), (7, 9), (64, 3), (63, 65), (1, 200), (90, 70)]


def masks_of(count: int, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Rectangles with holes, one empty and one full."""
    random = np.random.default_rng(seed)
    masks = np.zeros((count, height, width), np.uint8)
    for mask in masks:
        y, x = np.sort(random.integers(0, height + 1, 2)), np.sort(random.integers(0, width + 1, 2))
        mask[y[0] : y[1], x[0] : x[1]] = random.random((y[1] - y[0], x[1] - x[0])) < 0.8
    masks[0] = 0
    masks[-1] = 1
    return masks


def encoded(masks: NDArray[np.uint8]) -> list[dict]:
    return coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0)))


@pytest.mark.parametrize("size", SIZES)
def test_packed_masks_are_those_of_pycocotools(implementation: str, size: tuple[int, int]) -> None:
    masks = masks_of(6, *size)
    theirs = encoded(masks)
    bits = ops.pack_masks(torch.from_numpy(masks).bool())
    assert bits.shape == (6, -(-size[0] * size[1] // 64))
    assert torch.equal(ops.unpack_masks(bits, *size), torch.from_numpy(masks).bool())
    counts = [each["counts"] for each in theirs]
    assert ops.packed_to_rle(bits, [size] * 6) == counts
    assert torch.equal(ops.packed_from_rle(counts, [size] * 6), bits)
    assert ops.packed_area(bits).tolist() == coco_mask.area(theirs).tolist()


@pytest.mark.parametrize("size", SIZES)
def test_iou_is_that_of_pycocotools(implementation: str, size: tuple[int, int]) -> None:
    detections, truths = masks_of(11, *size), masks_of(9, *size, seed=1)
    crowd = torch.arange(9) % 3 == 1
    ours = ops.packed_iou(
        ops.pack_masks(torch.from_numpy(detections).bool()),
        ops.pack_masks(torch.from_numpy(truths).bool()),
        crowd,
    )
    theirs = coco_mask.iou(encoded(detections), encoded(truths), crowd.tolist())
    np.testing.assert_array_equal(ours.numpy(), theirs)


@pytest.mark.parametrize("intersect", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_merged_as_pycocotools_merges(
    implementation: str, size: tuple[int, int], intersect: bool
) -> None:
    masks = masks_of(5, *size)[1:]
    bits = ops.packed_merge(ops.pack_masks(torch.from_numpy(masks).bool()), intersect=intersect)
    want = coco_mask.decode(coco_mask.merge(encoded(masks), intersect=intersect))
    np.testing.assert_array_equal(ops.unpack_masks(bits[None], *size)[0].numpy(), want)
    assert not ops.packed_merge(torch.ones((0, 3), dtype=torch.int64), intersect=intersect).any()


def test_masks_of_images_of_different_sizes(implementation: str) -> None:
    sizes = [(9, 7), (64, 64), (0, 5)]
    masks = [masks_of(2, *size)[1] for size in sizes]
    counts = [encoded(mask[None])[0]["counts"] for mask in masks]
    bits = ops.packed_from_rle(counts, sizes)
    assert bits.shape == (3, 64)
    assert ops.packed_to_rle(bits, sizes) == counts
    assert ops.packed_area(bits).tolist() == [int(mask.sum()) for mask in masks]


def test_nothing(implementation: str) -> None:
    none = torch.zeros((0, 4), dtype=torch.int64)
    some = torch.ones((3, 4), dtype=torch.int64)
    assert ops.packed_to_rle(none, []) == []
    assert ops.packed_from_rle([], []).shape == (0, 0)
    assert ops.packed_area(none).shape == (0,)
    assert ops.packed_iou(none, some).shape == (0, 3)
    assert ops.packed_iou(some, none).shape == (3, 0)
    assert ops.pack_masks(torch.zeros(0, 3, 5, dtype=torch.bool)).shape == (0, 1)


def test_not_contiguous(implementation: str) -> None:
    bits = ops.pack_masks(torch.from_numpy(masks_of(8, 40, 50)).bool())
    assert torch.equal(ops.packed_area(bits[::2]), ops.packed_area(bits)[::2])
    apart = bits.T.contiguous().T
    assert torch.equal(ops.packed_intersection(apart, bits), ops.packed_intersection(bits, bits))
    assert ops.packed_to_rle(apart, [(40, 50)] * 8) == ops.packed_to_rle(bits, [(40, 50)] * 8)


def test_bad_input_is_refused(implementation: str) -> None:
    bits = torch.zeros((2, 3), dtype=torch.int64)
    with pytest.raises(ValueError, match="are not"):
        ops.packed_area(bits.int())
    with pytest.raises(ValueError, match="different images"):
        ops.packed_intersection(bits, bits[:, :2])
    with pytest.raises(ValueError, match="not enough"):
        ops.packed_to_rle(bits, [(1, 1), (16, 13)])
    with pytest.raises(ValueError, match="sizes"):
        ops.packed_to_rle(bits, [(1, 1)])
    with pytest.raises(ValueError, match="are not"):
        ops.pack_masks(torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match="can be packed"):
        ops.packed_from_rle([b""], [(2**16, 2**16)])
    with pytest.raises(ValueError, match="images of"):
        ops.unpack_masks(bits, 16, 13)


@pytest.mark.parametrize("served_by", ["reference", "c++"])
def test_malformed_run_lengths_are_refused(served_by: str) -> None:
    with serving(served_by), pytest.raises(ValueError, match="cover 63 pixels"):
        ops.packed_from_rle([b"o1"], [(8, 9)])

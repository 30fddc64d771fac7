"""Masks as regions see them: by hand, and against pycocotools and torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch.nn import functional as F
from torchvision.ops import roi_align

from benchsuite.records import RLE
from benchsuite.targets import Target, TargetMask
from benchsuite_kernels.columns import rle
from benchsuite_plugins.models.mask_head import mask_loss
from benchsuite_plugins.models.mask_targets import mask_targets

SQUARE = [[10.0, 20, 30, 20, 30, 40, 10, 40]]
TRIANGLE = [[12.3, 5.1, 37.9, 11.2, 20.4, 33.3], [2.0, 2.0, 9.5, 2.5, 3.0, 8.0]]


def bitmap(height: int = 48, width: int = 40) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), bool)
    mask[20:40, 10:30] = True
    return mask


def masks_of(*masks: object) -> tuple[TargetMask, ...]:
    masks_in_target: tuple[TargetMask, ...] = Target(
        [[0, 0, 1, 1]] * len(masks), [0] * len(masks), masks=list(masks)
    ).masks
    return masks_in_target


@pytest.mark.parametrize("kind", ["polygons", "bitmap", "run lengths"])
def test_the_same_square_however_it_is_given(kind: str) -> None:
    given = {
        "polygons": SQUARE,
        "bitmap": bitmap(),
        "run lengths": RLE((48, 40), rle.encode(bitmap())),
    }[kind]
    # The square itself, its left half and what lies around it, twice as wide and high.
    boxes = torch.tensor([[10.0, 20, 30, 40], [0, 20, 20, 40], [0, 10, 40, 50]])
    targets = mask_targets(masks_of(given), torch.tensor([0, 0, 0]), boxes, 8)
    assert targets.dtype == torch.bool and targets.shape == (3, 8, 8)
    assert targets[0].all()
    assert targets[1, :, 4:].all() and not targets[1, :, :4].any()
    assert targets[2, 2:6, 2:6].all() and targets[2].sum() == 16


def test_polygons_are_rasterised_in_the_frame_of_the_region() -> None:
    box = np.array([7.7, 3.2, 31.4, 29.9])
    size = 28
    moved = []
    for piece in TRIANGLE:
        points = np.reshape(piece, (-1, 2)) - box[:2]
        moved.append((points * size / (box[2:] - box[:2])).ravel().tolist())
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(moved, size, size)))
    targets = mask_targets(
        masks_of(SQUARE, TRIANGLE), torch.tensor([1]), torch.tensor(box[None]).float(), size
    )
    assert 0 < expected.sum() < size * size
    assert (targets[0].numpy() != expected).sum() <= 1


def test_bitmaps_are_averaged_over_cells() -> None:
    generator = np.random.default_rng(0)
    # Two images of different size.
    bitmaps = [generator.random((30, 50)) < 0.5 for _ in range(2)] + [
        generator.random((9, 7)) < 0.5
    ]
    boxes = torch.tensor([[3.0, 4, 44, 29.5], [0, 0, 7, 9], [10.2, 3.3, 12.1, 30], [20, 0, 50, 30]])
    matched = torch.tensor([1, 2, 0, 1])
    targets = mask_targets(masks_of(*bitmaps), matched, boxes, 14)
    for row, index in enumerate(matched.tolist()):
        pixels = torch.from_numpy(bitmaps[index])[None, None].float()
        expected = roi_align(pixels, [boxes[row : row + 1]], 14, aligned=True)[0, 0] >= 0.5
        assert torch.equal(targets[row], expected)


def test_masks_of_several_kinds_in_one_batch() -> None:
    boxes = torch.tensor([[10.0, 20, 30, 40]]).repeat(4, 1)
    masks = masks_of([], bitmap(), SQUARE, bitmap(60, 60))
    targets = mask_targets(masks, torch.tensor([2, 0, 3, 1]), boxes, 4)
    assert targets.flatten(1).all(dim=1).tolist() == [True, False, True, True]
    assert not targets[1].any()


def test_no_regions() -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    assert mask_targets((), nothing, torch.zeros(0, 4), 28).shape == (0, 28, 28)
    logits = torch.zeros(0, 5, 28, 28, requires_grad=True)
    loss = mask_loss(logits, nothing, torch.zeros(0, 28, 28, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("classes", [1, 5])
def test_loss_is_that_of_the_true_class(classes: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((3, classes, 4, 4), generator=generator)
    targets = torch.rand((3, 4, 4), generator=generator) < 0.5
    labels = torch.tensor([4, 0, 2])
    own = torch.stack([logits[row, label % classes] for row, label in enumerate([4, 0, 2])])
    if classes == 1:
        own = logits[:, 0]
    expected = F.binary_cross_entropy(own.sigmoid(), targets.float())
    torch.testing.assert_close(mask_loss(logits, labels, targets), expected)

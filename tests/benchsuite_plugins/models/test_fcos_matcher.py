from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_plugins.models.fcos_matcher import FCOSMatcher
from benchsuite_plugins.models.target_batch import TargetBatch


def squares(stride: int, height: int, width: int) -> Tensor:
    """Around the middles of the cells of a map."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    corner = torch.stack([x, y], dim=-1).reshape(-1, 2) * float(stride)
    return torch.cat([corner, corner + stride], dim=1)


LEVELS = [squares(8, 20, 20), squares(16, 10, 10), squares(32, 5, 5)]


def match(*boxes: list[list[float]]) -> tuple[list[dict[tuple[float, ...], int]], Tensor]:
    """Of each image the matched points (x, y, stride) and the rows they got."""
    counts = tuple(len(image) for image in boxes)
    flat = torch.tensor([box for image in boxes for box in image]).reshape(-1, 4)
    labels = torch.zeros(len(flat), dtype=torch.int64)
    image_index = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    truth = TargetBatch(flat, labels, image_index, counts)
    matched, found = FCOSMatcher(1.5)(LEVELS, truth)
    every = torch.cat(LEVELS)
    keys = torch.cat([(every[:, :2] + every[:, 2:]) / 2, every[:, 2:3] - every[:, :1]], dim=1)
    return [
        {
            tuple(keys[at].tolist()): int(matched[image, at])
            for at in found[image].nonzero().flatten().tolist()
        }
        for image in range(len(counts))
    ], found


def test_points_near_the_centre_of_a_small_box() -> None:
    (found,), _ = match([[40, 40, 60, 60]])
    # Within 12 pixels of (50, 50), inside, on the finest level alone: 20 pixels are few.
    assert set(found) == {(x, y, 8) for x in (44, 52) for y in (44, 52)}
    assert set(found.values()) == {0}


def test_a_box_belongs_to_the_level_of_its_size() -> None:
    # Farthest sides are beyond 64 for the finest level, at most 128 for the next one.
    (found,), _ = match([[0, 0, 160, 160]])
    strides = {stride for _, _, stride in found}
    assert strides == {16}
    assert all(abs(x - 80) < 24 and abs(y - 80) < 24 for x, y, _ in found)
    # The coarsest has no upper end.
    (found,), _ = match([[-500, -500, 660, 660]])
    assert {stride for _, _, stride in found} == {32} and len(found) == 9


def test_of_two_boxes_the_smaller_one() -> None:
    (found,), _ = match([[30, 30, 70, 70], [42, 42, 58, 58]])
    assert found[(44, 44, 8)] == found[(52, 52, 8)] == 1
    (swapped,), _ = match([[42, 42, 58, 58], [30, 30, 70, 70]])
    assert swapped[(44, 44, 8)] == 0 and swapped[(60, 60, 8)] == 1


def test_images_are_matched_to_their_own_boxes() -> None:
    found, labels = match([[40, 40, 60, 60]], [], [[0, 0, 20, 20], [40, 40, 60, 60]])
    assert [set(image.values()) for image in found] == [{0}, set(), {1, 2}]
    assert labels.sum(dim=1)[1] == 0


def test_no_objects_at_all() -> None:
    found, _ = match([], [])
    assert found == [{}, {}]

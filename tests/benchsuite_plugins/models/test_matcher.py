"""Matches against overlaps written by hand, and against torchvision's matcher."""

from __future__ import annotations

import pytest
import torch
from torchvision.models.detection._utils import Matcher as TorchvisionMatcher
from torchvision.ops import box_iou

from benchsuite.errors import ContractError, UsageError
from benchsuite.targets import Target
from benchsuite_plugins.models.matcher import Matcher
from benchsuite_plugins.models.target_batch import TargetBatch, collate_targets

RPN = Matcher((0.3, 0.7), (0, -1, 1), low_quality_matches=True)


def truth_of(*boxes: list[float]) -> TargetBatch:
    """Objects of one image."""
    return collate_targets([Target(list(boxes), [0] * len(boxes))], torch.zeros(1, 3, 32, 32))


def match(matcher: Matcher, anchors: list[list[float]], *objects: list[float]) -> list[list[int]]:
    matched, labels = matcher.match_anchors(torch.tensor(anchors), truth_of(*objects))
    return [matched[0].tolist(), labels[0].tolist()]


def test_a_threshold_belongs_to_the_label_above_it() -> None:
    anchors = [[0.0, 0, share * 100, 1] for share in (0.29, 0.3, 0.69, 0.7, 1.0)]
    assert match(RPN, anchors, [0, 0, 100, 1]) == [[0] * 5, [0, -1, -1, 1, 1]]


def test_every_object_has_what_overlaps_it_most_ties_included() -> None:
    # The last is nearest to the second object, though it overlaps the first one more.
    anchors = [[0.0, 0, 9, 1], [9, 0, 11, 1], [8, 0, 10.5, 1]]
    assert match(RPN, anchors, [0, 0, 10, 1], [10, 0, 12, 1])[1] == [1, 1, 0]
    anchors = [[0.0, 0, 9, 1], [0, 0, 1, 1], [6, 0, 10.5, 1]]
    assert match(RPN, anchors, [0, 0, 10, 1], [10, 0, 12, 1]) == [[0, 0, 0], [1, 0, 1]]
    tied = [[0.0, 0, 2, 1], [0, 0, 1, 1], [5, 0, 7, 1]]
    assert match(RPN, tied, [0, 0, 10, 1])[1] == [1, 0, 1]
    assert match(Matcher((0.5,), (0, 1), False), tied, [0, 0, 10, 1])[1] == [0, 0, 0]


def test_an_object_that_overlaps_nothing_makes_nothing_positive() -> None:
    assert match(RPN, [[0.0, 0, 2, 1], [0, 0, 1, 1]], [20, 20, 30, 30])[1] == [0, 0]


def test_without_objects_all_is_background() -> None:
    assert match(RPN, [[0.0, 0, 2, 1], [0, 0, 1, 1]]) == [[0, 0], [0, 0]]


@pytest.mark.parametrize("seed", range(3))
def test_as_torchvision_matches(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((60, 2), generator=generator) * 50
    boxes = torch.cat([corner, corner + 5 + torch.rand((60, 2), generator=generator) * 40], dim=1)
    theirs = TorchvisionMatcher(0.7, 0.3, allow_low_quality_matches=True)(
        box_iou(boxes[:7], boxes[7:])
    )
    matched, labels = RPN.match_anchors(boxes[7:], truth_of(*boxes[:7].tolist()))
    assert (labels == 1).any() and (labels == -1).any() and (labels == 0).any()
    # -1: below the low threshold; -2: between the two.
    assert torch.equal(theirs == -1, labels[0] == 0)
    assert torch.equal(theirs == -2, labels[0] == -1)
    assert torch.equal(theirs[labels[0] == 1], matched[labels == 1])


@pytest.mark.parametrize(
    ("thresholds", "labels"),
    [((0.5,), (0,)), ((0.5,), (0, 2)), ((0.7, 0.3), (0, -1, 1)), ((), (0,))],
)
def test_thresholds_that_make_no_sense(
    thresholds: tuple[float, ...], labels: tuple[int, ...]
) -> None:
    with pytest.raises(UsageError, match="iou_thresholds"):
        Matcher(thresholds, labels, low_quality_matches=False)


def test_anchors_are_matched_within_their_image() -> None:
    first, second = [0, 0, 10, 10], [20, 20, 30, 30]
    targets = [Target([first], [3]), Target(), Target([second, first], [1, 2])]
    truth = collate_targets(targets, torch.zeros(3, 3, 32, 32))
    assert truth.image_index.tolist() == [0, 2, 2]
    matched, labels = RPN.match_anchors(torch.tensor([first, second]).float(), truth)
    assert labels.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert matched[0, 0] == 0
    assert matched[2].tolist() == [2, 1]
    regions = torch.tensor([second, first, first, second]).float()
    matched, labels = RPN.match_regions(regions, torch.tensor([2, 2, 1, 0]), truth)
    assert labels.tolist() == [1, 1, 0, 0]
    assert matched[:2].tolist() == [1, 2]


def test_targets_that_do_not_fit_the_batch() -> None:
    pixels = torch.zeros(2, 3, 8, 8)
    box = [[0, 0, 4, 4]]
    with pytest.raises(ContractError, match="1 targets for 2 images"):
        collate_targets([Target()], pixels)
    with pytest.raises(ContractError, match="target 1 of the batch has no masks"):
        collate_targets([Target(box, [0], masks=[[[0, 0, 4, 0, 4, 4]]]), Target(box, [0])], pixels)
    with pytest.raises(ContractError, match="9 x 2"):
        collate_targets([Target(semantic=[[0] * 2] * 9)] * 2, pixels)


def test_semantic_maps_are_padded_with_what_does_not_count() -> None:
    targets = [Target(semantic=[[1, 2]]), Target(semantic=[[3], [4]])]
    truth = collate_targets(targets, torch.zeros(2, 3, 2, 3))
    assert truth.semantic is not None
    assert truth.semantic.tolist() == [
        [[1, 2, -1], [-1, -1, -1]],
        [[3, -1, -1], [4, -1, -1]],
    ]

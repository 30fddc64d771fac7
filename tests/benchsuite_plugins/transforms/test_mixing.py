"""Copy-paste and mosaic: what comes from where, and what is left of what is covered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchsuite.training.augmentation.augmentation import Augmentation
from benchsuite.training.data.example import Example
from benchsuite_plugins.transforms.copy_paste import SimpleCopyPaste
from benchsuite_plugins.transforms.mosaic import Mosaic


def rectangle(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], float)


def plain(height: int, width: int, value: int) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture
def below(make_example: Any) -> Example:
    boxes = [[0, 0, 4, 4], [5, 0, 9, 4], [1, 6, 3, 8]]
    example: Example = make_example(
        10,
        12,
        plain(10, 12, 10),
        boxes=boxes,
        labels=[0, 1, 2],
        masks=[(rectangle(*box),) for box in boxes],
        keypoints=[[[3.5, 3.5, 2], [0.5, 0.5, 2]], [[6, 2, 2], [8, 3, 1]], [[2, 7, 2], [0, 0, 0]]],
        semantic=np.full((10, 12), 4),
    )
    return example


@pytest.fixture
def above(make_example: Any) -> Example:
    mask = np.zeros((6, 20), np.bool_)
    mask[2:6, 2:12] = True
    example: Example = make_example(
        6,
        20,
        plain(6, 20, 200),
        boxes=[[2, 2, 12, 6]],
        labels=[7],
        masks=[mask],
        keypoints=[[[2.5, 2.5, 2], [11.5, 5.5, 2]]],
        semantic=np.full((6, 20), 9),
    )
    return example


def test_what_is_pasted_covers_what_is_below(
    transformed: Any, below: Example, above: Example
) -> None:
    done = transformed(SimpleCopyPaste(share=1.0), below, others=[above])
    cover = np.zeros((10, 12), bool)
    cover[2:6, 2:12] = True
    np.testing.assert_array_equal(done.image.pixels[..., 0], np.where(cover, 200, 10))
    np.testing.assert_array_equal(done.target.semantic, np.where(cover, 9, 4))
    assert done.target.labels.tolist() == [0, 1, 2, 7]
    # The first keeps an L as high and wide as before, the second only its upper half.
    np.testing.assert_array_equal(
        done.target.boxes, [[0, 0, 4, 4], [5, 0, 9, 2], [1, 6, 3, 8], [2, 2, 12, 6]]
    )
    first, second, third, pasted = done.target.masks
    assert first.sum() == 12 and not (first & cover).any()
    assert second.sum() == 8
    np.testing.assert_array_equal(third[0], rectangle(1, 6, 3, 8))
    np.testing.assert_array_equal(pasted, cover)
    visibility = done.target.keypoints[..., 2]
    np.testing.assert_array_equal(visibility, [[1, 2], [1, 1], [2, 0], [2, 2]])


def test_what_is_covered_wholly_is_dropped(make_example: Any, transformed: Any) -> None:
    small, large = ([2, 2, 4, 4], [1, 1, 6, 6])
    example = make_example(8, 8, boxes=[small], labels=[0], masks=[(rectangle(*small),)])
    other = make_example(8, 8, boxes=[large], labels=[1], masks=[(rectangle(*large),)])
    done = transformed(SimpleCopyPaste(share=1.0), example, others=[other])
    assert done.target.labels.tolist() == [1]
    np.testing.assert_array_equal(done.target.masks[0][0], rectangle(*large))


def test_what_is_pasted_from_beyond_the_image_is_left_out(
    make_example: Any, transformed: Any
) -> None:
    box = [9, 0, 12, 4]
    example = make_example(8, 8, plain(8, 8, 1), masks=())
    other = make_example(
        4, 12, plain(4, 12, 2), boxes=[box], labels=[1], masks=[(rectangle(*box),)]
    )
    done = transformed(SimpleCopyPaste(share=1.0), example, others=[other])
    assert len(done.target) == 0 and (done.image.pixels == 1).all()


def test_a_share_of_the_objects_is_pasted_with_a_probability(
    make_example: Any, transformed: Any
) -> None:
    box = [1, 1, 4, 4]
    example = make_example(8, 8, boxes=[[5, 5, 7, 7]], labels=[0], masks=[(rectangle(5, 5, 7, 7),)])
    other = make_example(8, 8, boxes=[box] * 2, labels=[1, 1], masks=[(rectangle(*box),)] * 2)
    counts = [
        len(transformed(SimpleCopyPaste(prob=0.5), example, seed, [other]).target)
        for seed in range(400)
    ]
    # Nothing: half, and a quarter of the rest; both: an eighth.
    assert counts.count(1) == pytest.approx(250, abs=35)
    assert counts.count(3) == pytest.approx(50, abs=25)


def test_masks_are_read_for_copy_paste_and_not_kept(below: Example, above: Example) -> None:
    augmentation = Augmentation([SimpleCopyPaste(share=1.0)], tasks=("bbox",))
    assert augmentation.fields_read == {"masks", "proposals"}
    assert augmentation.tasks_read == ("bbox", "segm")
    assert augmentation(below, 0, lambda k: above).target.masks is None


def test_a_mosaic_has_four_images_round_a_point(make_example: Any, transformed: Any) -> None:
    shapes = [(20, 40), (40, 20), (30, 30), (8, 8)]
    examples = [
        make_example(
            *shape,
            plain(*shape, 10 + 50 * place),
            boxes=[[0, 0, shape[1], shape[0]]],
            labels=[place],
            masks=[(rectangle(0, 0, shape[1], shape[0]),)],
            keypoints=[[[shape[1] / 2, shape[0] / 2, 2]]],
            semantic=np.full(shape, place),
            proposals=[[0, 0, shape[1], shape[0]]],
        )
        for place, shape in enumerate(shapes)
    ]
    for seed in range(20):
        done = transformed(Mosaic(60, 80), examples[0], seed, examples[1:])
        assert done.image.pixels.shape == (60, 80, 3)
        covered = np.zeros((60, 80), bool)
        for label, box, outlines, proposal in zip(
            done.target.labels, done.target.boxes, done.target.masks, done.target.proposals
        ):
            x1, y1, x2, y2 = box.astype(int)
            assert (done.image.pixels[y1:y2, x1:x2] == 10 + 50 * label).all()
            assert (done.target.semantic[y1:y2, x1:x2] == label).all()
            covered[y1:y2, x1:x2] = True
            points = np.concatenate(outlines)
            np.testing.assert_array_equal([*points.min(axis=0), *points.max(axis=0)], box)
            np.testing.assert_array_equal(proposal, box)
        assert done.target.labels.tolist() == [0, 1, 2, 3]
        assert (done.image.pixels[~covered] == 114).all()
        assert (done.target.semantic[~covered] == -1).all()
        # All touch the point, which lies in the middle half.
        boxes = done.target.boxes
        x, y = boxes[0, 2:]
        assert 20 <= x <= 60 and 15 <= y <= 45
        assert (boxes[1, 0], boxes[1, 3]) == (x, y)
        assert (boxes[2, 2], boxes[2, 1]) == (x, y)
        assert (boxes[3, 0], boxes[3, 1]) == (x, y)


def test_a_mosaic_takes_images_without_objects_and_masks_of_both_kinds(
    make_example: Any, transformed: Any
) -> None:
    mask = np.ones((8, 8), bool)
    box = [0, 0, 8, 8]
    empty = make_example(8, 8, masks=(), keypoints=np.zeros((0, 1, 3)))
    outlined = make_example(
        8, 8, boxes=[box], labels=[1], masks=[(rectangle(*box),)], keypoints=[[[1, 1, 2]]]
    )
    painted = make_example(8, 8, boxes=[box], labels=[2], masks=[mask], keypoints=[[[1, 1, 2]]])
    done = transformed(Mosaic(16, 16), empty, 1, [outlined, painted, empty])
    assert done.target.labels.tolist() == [1, 2]
    first, second = done.target.masks
    assert isinstance(first, tuple) and second.sum() == np.prod(
        done.target.boxes[1, 2:] - done.target.boxes[1, :2]
    )
    assert len(transformed(Mosaic(16, 16), empty, 1, [empty] * 3).target) == 0


def test_without_a_mosaic_no_other_is_loaded(transformed: Any, below: Example) -> None:
    done = transformed(Mosaic(16, 16, prob=0.0), below, others=())
    np.testing.assert_array_equal(done.image.pixels, below.image.pixels)

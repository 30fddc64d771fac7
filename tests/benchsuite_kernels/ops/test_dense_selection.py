"""Selection of pairs of anchor and class against a loop over all of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.ops import AnchorGrid, dense_selection

SHAPES = ((9, 13), (5, 7))

UNIT = (1.0, 1.0, 1.0, 1.0)


def make_grid(anchors: int) -> AnchorGrid:
    cells = torch.tensor([[-6.0, -8, 6, 8], [-10.0, -5, 10, 5], [-3.0, -3, 3, 3]])
    counts = (anchors,) * len(SHAPES)
    return AnchorGrid(cells[:anchors].repeat(2, 1), counts, SHAPES, ((8.0,) * 2, (16.0,) * 2), 0.5)


def head(grid: AnchorGrid, images: int, classes: int, seed: int = 0) -> list[list[Tensor]]:
    """Logits, deltas and centre-ness; many logits are equal, and some so large that their sigmoids
    are."""
    generator = torch.Generator().manual_seed(seed)
    maps: list[list[Tensor]] = [[], [], []]
    for count, shape in zip(grid.counts, grid.shapes, strict=True):
        ranks = torch.randint(-160, 60, (images, count * classes, *shape), generator=generator)
        maps[0].append(ranks / 8 + (ranks > 50) * 20)
        maps[1].append(torch.randn((images, count * 4, *shape), generator=generator) * 0.4)
        maps[2].append(torch.randint(-8, 8, (images, count, *shape), generator=generator) / 2)
    return maps


def one_by_one(
    maps: list[list[Tensor]], grid: AnchorGrid, image: int, threshold: float, topk: int
) -> list[list[tuple[float, int, int]]]:
    """Score, anchor and class of what is taken of each level of an image."""
    levels = []
    for level, (count, (height, width)) in enumerate(zip(grid.counts, grid.shapes, strict=True)):
        logits = maps[0][level][image]
        classes = len(logits) // count
        scores = logits.sigmoid()
        if len(maps) == 3:
            scores = scores * maps[2][level][image].sigmoid().repeat_interleave(classes, dim=0)
            scores = scores.sqrt()
        pairs = [
            (-float(scores[a * classes + label, y, x]), (y * width + x) * count + a, label)
            for a in range(count)
            for label in range(classes)
            for y in range(height)
            for x in range(width)
            if scores[a * classes + label, y, x] > threshold
        ]
        levels.append([(-score, anchor, label) for score, anchor, label in sorted(pairs)[:topk]])
    return levels


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize(("threshold", "topk"), [(0.05, 40), (0.6, 7), (0.9, 5000), (1.0, 3)])
def test_takes_what_a_loop_over_pairs_takes(
    implementation: str, channels_last: bool, centered: bool, threshold: float, topk: int
) -> None:
    grid = make_grid(1 if centered else 3)
    maps = head(grid, 2, 4)[: 3 if centered else 2]
    if channels_last:
        maps = [[m.contiguous(memory_format=torch.channels_last) for m in each] for each in maps]
    sizes = None if centered else torch.tensor([[60.0, 90.0], [70.0, 50.0]])
    reset_served()
    boxes, scores, labels = dense_selection(
        *(maps[0], maps[1], grid),
        centerness=maps[2] if centered else (),
        sizes=sizes,
        weights=() if centered else UNIT,
        threshold=threshold,
        topk=topk,
    )
    assert served() == {"dense_selection": implementation}
    anchors = grid.levels()
    for image in range(2):
        start = 0
        for level, want in enumerate(one_by_one(maps, grid, image, threshold, topk)):
            room = min(topk, maps[0][level][0].numel())
            own = slice(start, start + len(want))
            assert labels[image, own].tolist() == [label for _, _, label in want]
            expected = torch.tensor([score for score, _, _ in want])
            torch.testing.assert_close(scores[image, own], expected)
            for row, (_, anchor, _) in enumerate(want):
                cell, a = divmod(anchor, grid.counts[level])
                y, x = divmod(cell, SHAPES[level][1])
                values = maps[1][level][image, 4 * a : 4 * a + 4, y, x]
                box = boxes[image, start + row]
                torch.testing.assert_close(
                    box, decoded(values, anchors[level][anchor], sizes, image, centered)
                )
            rest = slice(start + len(want), start + room)
            assert bool((scores[image, rest] == -math.inf).all())
            assert not boxes[image, rest].any() and not labels[image, rest].any()
            start += room
        assert start == scores.shape[1]


def decoded(
    values: Tensor, anchor: Tensor, sizes: Tensor | None, image: int, centered: bool
) -> Tensor:
    x1, y1, x2, y2 = anchor.tolist()
    a, b, c, d = values.tolist()
    x, y, width, height = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    if centered:
        a, b, c, d = (max(value, 0) * width for value in (a, b, c, d))
        return torch.tensor([x - a, y - b, x + c, y + d])
    x, y = x + a * width, y + b * height
    half = math.exp(c) * width / 2, math.exp(d) * height / 2
    box = torch.tensor([x - half[0], y - half[1], x + half[0], y + half[1]])
    if sizes is not None:
        high, wide = sizes[image].tolist()
        box = box.clamp(min=0).minimum(torch.tensor([wide, high, wide, high]))
    return box


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_read_and_computed_in_single(
    implementation: str, dtype: torch.dtype
) -> None:
    grid = make_grid(2)
    logits, deltas, _ = ([each.to(dtype) for each in maps] for maps in head(grid, 1, 5))
    rest = {"weights": UNIT, "threshold": 0.3, "topk": 60}
    found = dense_selection(logits, deltas, grid, **rest)
    wide = [[each.float() for each in maps] for maps in (logits, deltas)]
    for one, other in zip(found, dense_selection(*wide, grid, **rest), strict=True):
        assert torch.equal(one, other)


def test_a_large_head_of_which_all_or_none_exceed_the_threshold(implementation: str) -> None:
    grid = AnchorGrid(torch.tensor([[-2.0, -2, 2, 2]]), (1,), ((67, 41),), ((4.0, 4.0),), 0.5)
    generator = torch.Generator().manual_seed(2)
    logits = torch.randint(0, 1000, (1, 90, 67, 41), generator=generator) / 100
    deltas = torch.zeros(1, 4, 67, 41)
    _, scores, labels = dense_selection(
        [logits], [deltas], grid, weights=UNIT, threshold=0.4, topk=100
    )
    pairs = logits.permute(0, 2, 3, 1).flatten().sigmoid()
    top, index = pairs.sort(descending=True, stable=True)
    torch.testing.assert_close(scores[0], top[:100])
    assert torch.equal(labels[0], index[:100] % 90)
    _, scores, _ = dense_selection(
        [logits], [deltas], grid, weights=UNIT, threshold=0.9999999, topk=100
    )
    assert bool((scores == -math.inf).all())


def test_what_is_not_finite_is_left_out(implementation: str) -> None:
    grid = AnchorGrid(torch.tensor([[0.0, 0, 8, 8]]), (1,), ((1, 4),), ((8.0, 8.0),), 0.0)
    logits = torch.tensor([[math.nan, 3.0, math.inf, 2.0], [0.0, -9, 1.5, -math.inf]])
    deltas = torch.zeros(1, 4, 1, 4)
    deltas[0, 0, 0, 1] = math.inf
    boxes, scores, labels = dense_selection(
        *([logits.view(1, 2, 1, 4)], [deltas], grid), weights=UNIT, threshold=0.1, topk=8
    )
    want = [1.0, -math.inf, 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(-1.5)), 0.5]
    assert scores[0].tolist() == pytest.approx([*want, *[-math.inf] * 3])
    assert labels[0].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    assert boxes[0, :, 0].tolist() == [16, 0, 24, 16, 0, 0, 0, 0]


def test_what_does_not_fit_is_refused() -> None:
    grid = make_grid(2)
    logits, deltas, centerness = head(grid, 1, 3)
    rest = {"weights": UNIT, "threshold": 0.5}
    with pytest.raises(ValueError, match="negative"):
        dense_selection(logits, deltas, grid, topk=-1, **rest)
    with pytest.raises(ValueError, match=r"logits\[1\]"):
        dense_selection([logits[0], logits[1][:, :3]], deltas, grid, topk=1, **rest)
    with pytest.raises(ValueError, match="1 maps of centerness"):
        dense_selection(logits, deltas, grid, centerness=centerness[:1], topk=1, **rest)
    with pytest.raises(ValueError, match=r"sizes \(4, 2\)"):
        dense_selection(logits, deltas, grid, sizes=torch.ones(4, 2), topk=1, **rest)


def test_torch_knows_its_shapes_without_running_it() -> None:
    grid = make_grid(2)
    logits, deltas, centerness = head(grid, 2, 3)
    strides = [side for level in grid.strides for side in level]
    torch.library.opcheck(
        torch.ops.benchsuite.dense_selection.default,
        (logits, deltas, centerness, grid.cells, strides, 0.5, None, list(UNIT), 0.2, 6),
    )

"""Selection of anchors against torchvision's region proposal network and a loop over anchors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.ops import AnchorGrid, rpn_selection

SHAPES = ((13, 21), (7, 11), (4, 6))


def make_grid(anchors: int = 3, shapes: tuple[tuple[int, int], ...] = SHAPES) -> AnchorGrid:
    generator = torch.Generator().manual_seed(3)
    extent = torch.rand((len(shapes) * anchors, 2), generator=generator) * 30 + 4
    return AnchorGrid(
        torch.cat([-extent, extent], dim=1),
        (anchors,) * len(shapes),
        shapes,
        tuple((8.0 * 2**level, 8.0 * 2**level) for level in range(len(shapes))),
        0.0,
    )


def head(grid: AnchorGrid, images: int, seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    """Logits of which many are equal, and deltas."""
    generator = torch.Generator().manual_seed(seed)
    logits, deltas = [], []
    for count, shape in zip(grid.counts, grid.shapes, strict=True):
        ranks = torch.randint(-40, 40, (images, count, *shape), generator=generator)
        logits.append(ranks / 4)
        deltas.append(torch.randn((images, count * 4, *shape), generator=generator) * 0.5)
    return logits, deltas


def one_by_one(
    logits: list[Tensor],
    deltas: list[Tensor],
    grid: AnchorGrid,
    size: tuple[float, float],
    image: int,
    topk: int,
    min_size: float,
) -> list[tuple[float, list[float]]]:
    """What is taken of an image, anchor by anchor, boxes decoded by torchvision."""
    taken = []
    coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
    for level, anchors in enumerate(grid.levels()):
        count, (height, width) = grid.counts[level], grid.shapes[level]
        rated = []
        for y in range(height):
            for x in range(width):
                for a in range(count):
                    row = (y * width + x) * count + a
                    values = deltas[level][image, 4 * a : 4 * a + 4, y, x]
                    rated.append((-float(logits[level][image, a, y, x]), row, values))
        for negated, row, values in sorted(rated, key=lambda each: each[:2])[:topk]:
            box = coder.decode_single(values[None].float(), anchors[row][None])[0]
            x1, x2 = box[0::2].clamp(0, size[1]).tolist()
            y1, y2 = box[1::2].clamp(0, size[0]).tolist()
            if x2 - x1 > min_size and y2 - y1 > min_size:
                taken.append((-negated, [x1, y1, x2, y2]))
            else:
                taken.append((-math.inf, [0.0] * 4))
    return taken


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("topk", [1, 50, 10_000])
def test_takes_what_a_loop_over_anchors_takes(
    implementation: str, channels_last: bool, topk: int
) -> None:
    grid = make_grid()
    logits, deltas = head(grid, 2)
    sizes = torch.tensor([[100.0, 160.0], [60.0, 90.0]])
    if channels_last:
        logits, deltas = (
            [each.contiguous(memory_format=torch.channels_last) for each in maps]
            for maps in (logits, deltas)
        )
    reset_served()
    boxes, scores, levels = rpn_selection(
        logits, deltas, grid, sizes, weights=(1.0,) * 4, topk=topk, min_size=3.0
    )
    assert served() == {"rpn_selection": implementation}
    rooms = [min(topk, count * h * w) for count, (h, w) in zip(grid.counts, SHAPES, strict=True)]
    assert levels.tolist() == [n for n, room in enumerate(rooms) for _ in range(room)]
    assert boxes.dtype == scores.dtype == torch.float32
    for image in range(2):
        size = tuple(sizes[image].tolist())
        want = one_by_one(logits, deltas, grid, size, image, topk, 3.0)
        assert scores[image].tolist() == [score for score, _ in want]
        torch.testing.assert_close(boxes[image], torch.tensor([box for _, box in want]))
    assert topk == 1 or bool((scores == -math.inf).any())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_read_and_computed_in_single(
    implementation: str, dtype: torch.dtype
) -> None:
    grid = make_grid()
    logits, deltas = head(grid, 1)
    rest = {"weights": (10.0, 10.0, 5.0, 5.0), "topk": 40, "min_size": 0.0}
    narrow = [[each.to(dtype) for each in maps] for maps in (logits, deltas)]
    sizes = torch.tensor([[100.0, 160.0]])
    found = rpn_selection(*narrow, grid, sizes, **rest)
    wide = [[each.float() for each in maps] for maps in narrow]
    for one, other in zip(found, rpn_selection(*wide, grid, sizes, **rest), strict=True):
        assert torch.equal(one, other)


def test_highest_of_a_large_map_whatever_its_order(implementation: str) -> None:
    grid = AnchorGrid(torch.tensor([[-2.0, -2, 2, 2]]), (1,), ((300, 271),), ((4.0, 4.0),), 0.5)
    generator = torch.Generator().manual_seed(1)
    count = 300 * 271
    # Looked at here and there, it seems to hold far more high values than it does.
    misleading = torch.randn(count, generator=generator)
    misleading[torch.arange(1024) * count // 1024] += torch.arange(1024) / 8
    for values in (
        misleading,
        torch.randn(count, generator=generator),
        torch.arange(count) / count,
        -torch.arange(count) / count,
        torch.full((count,), 2.0),
        torch.randint(0, 3, (count,), generator=generator).float(),
    ):
        logits, deltas = values.view(1, 1, 300, 271), torch.zeros(1, 4, 300, 271)
        boxes, scores, _ = rpn_selection(
            *([logits], [deltas], grid, torch.tensor([[9e3, 9e3]])),
            weights=(1.0,) * 4,
            topk=1000,
            min_size=0.0,
        )
        top, index = values.sort(descending=True, stable=True)
        assert torch.equal(scores[0], top[:1000])
        x, y = (index[:1000] % 271 + 0.5) * 4, (index[:1000] // 271 + 0.5) * 4
        torch.testing.assert_close(boxes[0], torch.stack([x - 2, y - 2, x + 2, y + 2], dim=1))


def test_what_is_not_finite_takes_a_place_and_is_left_out(implementation: str) -> None:
    grid = AnchorGrid(torch.tensor([[0.0, 0, 8, 8]]), (1,), ((1, 5),), ((8.0, 8.0),), 0.0)
    logits = torch.tensor([math.nan, 1.0, math.inf, 0.5, -math.inf]).view(1, 1, 1, 5)
    deltas = torch.zeros(1, 4, 1, 5)
    deltas[0, 2, 0, 1] = math.nan
    boxes, scores, _ = rpn_selection(
        *([logits], [deltas], grid, torch.tensor([[8.0, 40.0]])),
        weights=(1.0,) * 4,
        topk=4,
        min_size=0.0,
    )
    assert scores.tolist() == [[-math.inf, -math.inf, -math.inf, 0.5]]
    assert boxes[0, :3].count_nonzero() == 0 and boxes[0, 3].tolist() == [24, 0, 32, 8]


def test_nothing_is_asked_for_or_there_is_no_cell(implementation: str) -> None:
    grid = make_grid(shapes=((3, 2), (0, 4)))
    logits, deltas = head(grid, 2)
    sizes = torch.full((2, 2), 99.0)
    rest = {"weights": (1.0,) * 4, "min_size": 0.0}
    boxes, scores, levels = rpn_selection(logits, deltas, grid, sizes, topk=0, **rest)
    assert boxes.shape == (2, 0, 4) and scores.shape == (2, 0) and levels.shape == (0,)
    boxes, scores, levels = rpn_selection(logits, deltas, grid, sizes, topk=7, **rest)
    assert boxes.shape == (2, 7, 4) and levels.tolist() == [0] * 7


def test_strides_may_differ_by_axis_and_double_precision_is_the_references() -> None:
    grid = AnchorGrid(torch.zeros(1, 4), (1,), ((2, 3),), ((16.0, 7.0),), 0.5)
    (anchors,) = grid.levels()
    assert anchors[:, :2].tolist() == [
        [3.5, 8],
        [10.5, 8],
        [17.5, 8],
        [3.5, 24],
        [10.5, 24],
        [17.5, 24],
    ]
    logits, deltas = head(make_grid(), 1)
    reset_served()
    boxes, _, _ = rpn_selection(
        *([each.double() for each in logits], [each.double() for each in deltas], make_grid()),
        torch.tensor([[100.0, 160.0]]),
        weights=(1.0,) * 4,
        topk=9,
        min_size=0.0,
    )
    assert boxes.dtype == torch.float64 and served() == {"rpn_selection": "reference"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"topk": -1}, "negative"),
        ({"weights": (1.0,) * 3}, "3 weights"),
        ({"sizes": torch.ones(2, 2)}, r"not \(1, 2\)"),
        ({"logits": [torch.zeros(1, 2, 2, 2)]}, r"logits\[0\]"),
        ({"deltas": []}, "0 maps"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    grid = AnchorGrid(torch.zeros(1, 4), (1,), ((2, 2),), ((4.0, 4.0),), 0.0)
    arguments = {
        "logits": [torch.zeros(1, 1, 2, 2)],
        "deltas": [torch.zeros(1, 4, 2, 2)],
        "anchors": grid,
        "sizes": torch.ones(1, 2),
        "weights": (1.0,) * 4,
        "topk": 1,
        "min_size": 0.0,
    }
    with pytest.raises(ValueError, match=message):
        rpn_selection(**{**arguments, **change})


def test_torch_knows_its_shapes_without_running_it() -> None:
    grid = make_grid()
    logits, deltas = head(grid, 2)
    strides = [side for level in grid.strides for side in level]
    torch.library.opcheck(
        torch.ops.benchsuite.rpn_selection.default,
        (logits, deltas, grid.cells, strides, 0.0, torch.ones(2, 2), [1.0] * 4, 5, 0.0),
    )

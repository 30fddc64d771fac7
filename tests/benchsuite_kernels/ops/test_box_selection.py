"""Selection of pairs of region and class against a loop over all of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.ops import box_selection

WEIGHTS = (10.0, 10.0, 5.0, 5.0)

SIZES = torch.tensor([[60.0, 80.0], [90.0, 50.0], [70.0, 70.0]])


def regions(count: int, classes: int, box_classes: int, seed: int = 0) -> dict[str, Tensor]:
    """Regions of three images in any order; many scores are equal."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((count, 2), generator=generator) * 40
    extent = torch.rand((count, 2), generator=generator) * 40 + 1
    scores = torch.randint(0, 9, (count, classes + 1), generator=generator) / 2
    return {
        "scores": scores,
        "deltas": torch.randn((count, box_classes * 4), generator=generator) * 2,
        "boxes": torch.cat([corner, corner + extent], dim=1),
        "image_index": torch.randint(-1, 3, (count,), generator=generator),
    }


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("box_classes", [1, 4])
@pytest.mark.parametrize("limit", [5, 10_000])
def test_takes_what_a_loop_over_pairs_takes(
    implementation: str, softmax: bool, box_classes: int, limit: int
) -> None:
    given = regions(70, 4, box_classes)
    # A softmax is not rounded alike everywhere: no two of its values are nearly the same.
    noise = torch.rand(given["scores"].shape, generator=torch.Generator().manual_seed(1))
    rows = given["scores"] + noise * softmax
    shares = rows.softmax(dim=1) if softmax else (rows / 4).clamp(max=1)
    given["scores"] = rows if softmax else shares
    reset_served()
    boxes, scores, labels = box_selection(
        **given, sizes=SIZES, softmax=softmax, weights=WEIGHTS, threshold=0.2, limit=limit,
        min_size=8.0,
    )  # fmt: skip
    assert served() == {"box_selection": implementation}
    whole = BoxCoder(WEIGHTS).decode(given["deltas"], [given["boxes"]])
    assert boxes.shape == (3, min(limit, 70 * 4), 4)
    for image, (height, width) in enumerate(SIZES.tolist()):
        pairs = []
        for row in (given["image_index"] == image).nonzero().flatten().tolist():
            for label in range(4):
                x1, y1, x2, y2 = whole[row, label if box_classes > 1 else 0].tolist()
                x1, x2 = min(max(x1, 0), width), min(max(x2, 0), width)
                y1, y2 = min(max(y1, 0), height), min(max(y2, 0), height)
                if shares[row, label] > 0.2 and x2 - x1 >= 8 and y2 - y1 >= 8:
                    pairs.append((-float(shares[row, label]), row, label, [x1, y1, x2, y2]))
        pairs = sorted(pairs)[:limit]
        assert pairs
        own = slice(0, len(pairs))
        assert labels[image, own].tolist() == [label for _, _, label, _ in pairs]
        torch.testing.assert_close(scores[image, own], -torch.tensor([pair[0] for pair in pairs]))
        torch.testing.assert_close(boxes[image, own], torch.tensor([pair[3] for pair in pairs]))
        assert bool((scores[image, len(pairs) :] == -math.inf).all())
        assert not boxes[image, len(pairs) :].any() and not labels[image, len(pairs) :].any()


def test_regions_with_anything_not_finite_take_no_part(implementation: str) -> None:
    given = regions(6, 3, 3)
    given["scores"] = torch.tensor([[0.5, 0.3, 0.1, 0.1]]).repeat(6, 1)
    given["image_index"] = torch.zeros(6, dtype=torch.int64)
    given["deltas"] = torch.zeros(6, 12)
    given["scores"][0, 3] = math.nan
    given["deltas"][1, 9] = math.inf
    given["deltas"][2, 6] = math.nan
    given["boxes"][3, 0] = math.inf
    # The logarithm of a size may be anything but NaN.
    given["deltas"][4, 2] = math.inf
    _, scores, labels = box_selection(
        **given, sizes=SIZES, softmax=False, weights=WEIGHTS, threshold=0.2, limit=9
    )
    assert scores[0].tolist() == pytest.approx([0.5, 0.5, 0.3, 0.3, *[-math.inf] * 5])
    assert labels[0].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0]
    assert bool((scores[1:] == -math.inf).all())


def test_threshold_is_strict_in_single_precision(implementation: str) -> None:
    given = regions(2, 1, 1)
    given["image_index"][:] = 0
    threshold = torch.tensor(0.05)
    given["scores"] = torch.stack([threshold, torch.nextafter(threshold, torch.tensor(1.0))])
    given["scores"] = given["scores"][:, None].repeat(1, 2)
    _, scores, _ = box_selection(
        **given, sizes=SIZES, softmax=False, weights=WEIGHTS, threshold=0.05, limit=2
    )
    assert scores[0].tolist() == [float(given["scores"][1, 0]), -math.inf]


def test_no_region_and_no_room(implementation: str) -> None:
    rest = {"sizes": SIZES, "softmax": True, "weights": WEIGHTS, "threshold": 0.1}
    boxes, scores, labels = box_selection(**regions(0, 4, 4), limit=9, **rest)
    assert boxes.shape == (3, 0, 4) and scores.shape == labels.shape == (3, 0)
    boxes, _, _ = box_selection(**regions(5, 4, 4), limit=0, **rest)
    assert boxes.shape == (3, 0, 4)


def test_half_precision_is_computed_in_single(implementation: str) -> None:
    given = regions(40, 7, 7)
    rest = {"sizes": SIZES, "softmax": True, "weights": WEIGHTS, "threshold": 0.1, "limit": 60}
    narrow = {name: given[name].bfloat16() for name in ("scores", "deltas")}
    wide = {name: each.float() for name, each in narrow.items()}
    found = box_selection(**{**given, **narrow}, **rest)
    for one, other in zip(found, box_selection(**{**given, **wide}, **rest), strict=True):
        assert torch.equal(one, other)


def test_what_does_not_fit_is_refused() -> None:
    given = regions(3, 4, 4)
    rest = {"softmax": True, "weights": WEIGHTS, "threshold": 0.1}
    with pytest.raises(ValueError, match=r"\(R, K \+ 1\)"):
        box_selection(**{**given, "deltas": torch.zeros(3, 12)}, sizes=SIZES, limit=1, **rest)
    with pytest.raises(ValueError, match="negative"):
        box_selection(**given, sizes=SIZES, limit=-1, **rest)
    with pytest.raises(ValueError, match=r"not \(N, 2\)"):
        box_selection(**given, sizes=torch.ones(3), limit=1, **rest)


def test_torch_knows_its_shapes_without_running_it() -> None:
    given = regions(6, 2, 2)
    torch.library.opcheck(
        torch.ops.benchsuite.box_selection.default,
        (*given.values(), SIZES, True, list(WEIGHTS), 0.1, 20, 0.0),
    )

"""Boundary IoU, both implementations, against its definition and pycocotools' IoU."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as pycocotools_mask

from benchsuite_kernels.columns import overlapping_pairs as module
from benchsuite_kernels.columns import rle
from benchsuite_kernels.columns.overlapping_pairs import overlapping_pairs
from benchsuite_kernels.columns.overlaps import BoundaryOverlaps, Masks
from benchsuite_kernels.dispatch import native

RATIO = 0.02


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(module, "native", lambda: extension if request.param == "c++" else None)
    return request.param


def boundary(mask: np.ndarray, ratio: float) -> np.ndarray:
    """A mask without what is left of it after so many erosions by a square of 3 x 3 pixels."""
    left = mask
    for _ in range(max(round(ratio * np.sqrt(mask.shape[0] ** 2 + mask.shape[1] ** 2)), 1)):
        padded = np.pad(left, 1)
        rows = padded[:-2] & padded[1:-1] & padded[2:]
        left = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    return mask & ~left


def column(masks: list[np.ndarray]) -> Masks:
    counts = [rle.encode(mask) for mask in masks]
    return Masks(
        np.frombuffer(b"".join(counts), np.uint8),
        np.cumsum([0, *map(len, counts)]).astype(np.int64),
        np.array([mask.shape for mask in masks], np.int32).reshape(-1, 2),
    )


def ious(detections: list[np.ndarray], truths: list[np.ndarray], crowd: np.ndarray) -> np.ndarray:
    def encoded(masks: list[np.ndarray]) -> list[dict[str, object]]:
        return [pycocotools_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]

    return pycocotools_mask.iou(encoded(detections), encoded(truths), crowd.tolist())


def check(
    detections: list[np.ndarray], truths: list[np.ndarray], crowd: np.ndarray, ratio: float
) -> None:
    of_masks = ious(detections, truths, crowd)
    of_boundaries = ious(
        [boundary(mask, ratio) for mask in detections],
        [boundary(mask, ratio) for mask in truths],
        crowd,
    )
    want = np.where(crowd, of_masks, np.minimum(of_masks, of_boundaries))
    pairs = overlapping_pairs(
        np.zeros(len(detections), np.int64),
        np.zeros(len(truths), np.int64),
        BoundaryOverlaps(column(detections), column(truths), ratio),
        crowd=crowd,
        least=1e-9,
        threads=2,
    )
    got = np.zeros_like(want)
    got[np.repeat(np.arange(len(detections)), np.diff(pairs.starts)), pairs.truths] = pairs.values
    np.testing.assert_array_equal(got, want)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([(1, 1), (1, 40), (40, 1), (64, 30), (130, 70), (97, 129)]),
    ratio=st.sampled_from([RATIO, 0.05, 0.11, 0.0, 1.0]),
)
def test_equals_repeated_erosion(seed: int, size: tuple[int, int], ratio: float) -> None:
    random = np.random.default_rng(seed)

    def blobs() -> np.ndarray:
        mask = np.zeros(size, np.bool_)
        for _ in range(random.integers(0, 4)):
            (y, x), (height, width) = (random.integers(0, side, 2) for side in (max(size), 90))
            mask[max(y - 30, 0) : y + height, max(x - 30, 0) : x + width] ^= True
        return mask

    detections, truths = [blobs() for _ in range(5)], [blobs() for _ in range(4)]
    check(detections, truths, random.random(4) < 0.3, ratio)


def test_masks_that_fill_the_image_or_touch_its_edges() -> None:
    size = (480, 640)
    whole = np.ones(size, np.bool_)
    hole, edge, thin = whole.copy(), np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    hole[200:300, 100:164] = False
    edge[:, :100] = True
    thin[63:65, 5:600] = True
    masks = [whole, hole, edge, thin]
    check(masks, masks, np.zeros(4, np.bool_), RATIO)


def test_the_width_of_the_boundary_is_rounded_half_to_even() -> None:
    # The diagonals are 125 and 175 pixels: 2.5 and 3.5 of the ratio, so 2 and 4.
    for side, width in (((75, 100), 2), ((105, 140), 4)):
        whole = np.ones(side, np.bool_)
        inner = np.zeros(side, np.bool_)
        inner[width:-width, width:-width] = True
        assert (boundary(whole, RATIO) == ~inner).all()
        check([whole, inner], [whole, inner], np.zeros(2, np.bool_), RATIO)


@pytest.mark.parametrize("ratio", [-0.1, 1.5, float("nan")])
def test_a_ratio_that_cannot_be(ratio: float) -> None:
    with pytest.raises(ValueError, match="not from 0 to 1"):
        BoundaryOverlaps(column([]), column([]), ratio)

"""Many masks at once, both implementations, against pycocotools."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pycocotools import mask as pycocotools_mask

from benchsuite_kernels.columns import rle_batch
from benchsuite_kernels.columns.rle_batch import MaskError
from benchsuite_kernels.dispatch import native

quick = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(rle_batch, "native", lambda: extension if request.param == "c++" else None)
    return request.param


# --- polygons ---------------------------------------------------------------------------------

Polygons = list[list[float]]

coordinates = st.one_of(
    st.floats(-5, 40),
    st.integers(-3, 25).map(float),
    st.integers(-30, 250).map(lambda tenth: tenth / 10),  # halves of the fine grid
    st.floats(-900, 900),
    st.sampled_from([-0.0, -0.1, -0.5, 0.1, 0.3, 0.7, 0.9, 19.9, 20.0, 20.5, 800, -800]),
)


@st.composite
def polygons(draw: st.DrawFn) -> Polygons:
    corners = draw(st.lists(st.integers(3, 8), min_size=1, max_size=4))
    return [draw(st.lists(coordinates, min_size=2 * n, max_size=2 * n)) for n in corners]


def arrays(masks: list[Polygons], sizes: list[tuple[int, int]]) -> tuple[np.ndarray, ...]:
    flat = [polygon for mask in masks for polygon in mask]
    return (
        np.array([number for polygon in flat for number in polygon], np.float64),
        np.array([len(polygon) for polygon in flat], np.int32),
        np.array([len(mask) for mask in masks], np.int32),
        np.array(sizes, np.int64).reshape(-1, 2),
    )


def rows(made: tuple[np.ndarray, np.ndarray]) -> list[bytes]:
    counts, offsets = made
    assert counts.dtype == np.uint8 and offsets.dtype == np.int64
    assert offsets[0] == 0 and offsets[-1] == len(counts)
    return [counts[a:b].tobytes() for a, b in pairwise(offsets)]


def official(mask: Polygons, height: int, width: int) -> bytes:
    return pycocotools_mask.merge(pycocotools_mask.frPyObjects(mask, height, width))["counts"]


@quick
@given(mask=polygons(), height=st.integers(1, 30), width=st.integers(1, 30))
@example(mask=[[0, 0, 20, 0, 20, 10, 0, 10]], height=10, width=20)  # the whole image
@example(mask=[[5, 5, 5, 5, 5, 5]], height=10, width=20)  # no area
@example(mask=[[-3, -3, 40, -3, 40, 40, -3, 40]], height=10, width=20)  # beyond it
@example(mask=[[1, 1, 9, 1, 9, 9], [1, 1, 9, 1, 9, 9]], height=10, width=20)  # one twice
@example(mask=[[0, 0, 4, 0, 4, 10, 0, 10], [4, 0, 9, 0, 9, 10, 4, 10]], height=10, width=20)
@example(mask=[[0, -5000, 20, 5000, 3, 5000]], height=10, width=20)  # steep and far
def test_polygons_are_those_of_pycocotools(mask: Polygons, height: int, width: int) -> None:
    found = rle_batch.from_polygons(*arrays([mask], [(height, width)]))
    assert rows(found) == [official(mask, height, width)]


@quick
@given(
    masks=st.lists(polygons(), max_size=5),
    sides=st.lists(st.integers(1, 30), min_size=10, max_size=10),
    repeats=st.sampled_from([1, 1, 60]),
)
def test_many_polygons(masks: list[Polygons], sides: list[int], repeats: int) -> None:
    sizes = list(zip(sides[:5], sides[5:]))[: len(masks)]
    masks, sizes = masks * repeats, sizes * repeats
    expected = [official(mask, *size) for mask, size in zip(masks, sizes)]
    for threads in (1, 3):
        found = rle_batch.from_polygons(*arrays(masks, sizes), threads=threads)
        assert rows(found) == expected


def test_polygons_of_ordinary_size() -> None:
    draw = np.random.default_rng(3)
    masks, sizes = [], []
    for _ in range(60):
        height, width = draw.integers(200, 700, 2).tolist()
        corners = int(draw.integers(3, 80))
        angles = np.sort(draw.uniform(0, 2 * np.pi, corners))
        radii = draw.uniform(20, 300, corners)
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
        points += draw.uniform(0, [width, height])
        masks.append([np.round(points, 2).ravel().tolist() for _ in range(1)])
        sizes.append((height, width))
    found = rle_batch.from_polygons(*arrays(masks, sizes), threads=2)
    assert rows(found) == [official(mask, *size) for mask, size in zip(masks, sizes)]


def test_coordinates_as_large_as_they_may_be() -> None:
    mask = [[-4e8, -4e8, 4e8, -4e8, 4e8, 4e8, -4e8, 4e8]]
    (found,) = rows(rle_batch.from_polygons(*arrays([mask], [(7, 9)])))
    assert pycocotools_mask.decode({"size": [7, 9], "counts": found}).all()


TRIANGLE = [0.0, 0, 5, 0, 5, 5]


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        ([], "there is no polygon"),
        ([TRIANGLE, [0, 0, 1, 1]], "polygon 1 has 4 numbers"),
        ([[]], "polygon 0 has 0 numbers"),
        ([[*TRIANGLE, 1]], "polygon 0 has 7 numbers"),
        ([[*TRIANGLE[:5], float("nan")]], "polygon 0 holds a number that is not finite"),
        ([[*TRIANGLE[:5], float("-inf")]], "polygon 0 holds a number that is not finite"),
        ([[*TRIANGLE[:5], 4.1e8]], "polygon 0 holds a coordinate beyond"),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_malformed_polygons(mask: Polygons, problem: str, threads: int) -> None:
    masks = [[TRIANGLE]] * 70 + [mask] + [[TRIANGLE]] * 70 + [[[0.0]]]
    with pytest.raises(MaskError, match=problem) as raised:
        rle_batch.from_polygons(*arrays(masks, [(6, 6)] * len(masks)), threads=threads)
    assert raised.value.row == 70


# --- runs and compressed counts ---------------------------------------------------------------

Mask = np.ndarray


@st.composite
def bitmaps(draw: st.DrawFn) -> list[Mask]:
    found = []
    for _ in range(draw(st.integers(0, 4))):
        shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
        bits = draw(st.binary(min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
        found.append((np.frombuffer(bits, np.uint8) & 1).reshape(shape))
    return found


def encoded(masks: list[Mask]) -> list[dict[str, Any]]:
    return [pycocotools_mask.encode(np.asfortranarray(mask)) for mask in masks]


def buffer(counts: list[bytes], before: bytes = b"") -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([len(before), *map(len, counts)], dtype=np.int64)
    return np.frombuffer(before + b"".join(counts), np.uint8), offsets


@quick
@given(masks=bitmaps(), before=st.binary(max_size=2))
def test_areas_and_boxes_are_those_of_pycocotools(masks: list[Mask], before: bytes) -> None:
    objects = encoded(masks)
    counts = buffer([each["counts"] for each in objects], before)
    sizes = np.array([mask.shape for mask in masks], np.int64).reshape(-1, 2)
    areas = [int(mask.sum()) for mask in masks]
    assert rle_batch.areas(*counts).tolist() == areas
    assert rle_batch.validate(*counts, sizes, threads=2).tolist() == areas
    boxes = rle_batch.to_bboxes(*counts, sizes)
    assert boxes.shape == (len(masks), 4) and boxes.dtype == np.float64
    assert boxes.tolist() == [pycocotools_mask.toBbox(each).tolist() for each in objects]


@quick
@given(masks=bitmaps())
def test_runs_are_compressed(masks: list[Mask]) -> None:
    runs = []
    for mask in masks:
        flat = np.r_[0, mask.ravel(order="F"), 2]
        bounds = np.flatnonzero(np.diff(flat))
        runs.append(np.diff(np.r_[0, bounds]).tolist())
    sizes = np.array([mask.shape for mask in masks], np.int64).reshape(-1, 2)
    flat_runs = np.array([run for each in runs for run in each], np.int64)
    lengths = np.array([len(each) for each in runs], np.int32)
    found = rows(rle_batch.from_runs(flat_runs, lengths, sizes, threads=2))
    assert found == [each["counts"] for each in encoded(masks)]


@pytest.mark.parametrize(
    ("runs", "problem"),
    [
        ([], "non-empty list"),
        ([4, -1, 3], "run 1 of the RLE is negative"),
        ([2**40], "run 0 of the RLE is longer than any image"),
        ([4, 1], "cover 5 pixels, an image of 2 x 3 has 6"),
    ],
)
def test_malformed_runs(runs: list[int], problem: str) -> None:
    given_runs = np.array([6, *runs], np.int64)
    numbers = np.array([1, len(runs)], np.int32)
    with pytest.raises(MaskError, match=problem) as raised:
        rle_batch.from_runs(given_runs, numbers, np.array([[2, 3], [2, 3]]))
    assert raised.value.row == 1


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        (b"", "the RLE is empty"),
        (b"~", "byte 0 of the RLE is 0x7e"),
        (b"P", "ends within a run"),
        (b"5", "cover 5 pixels, an image of 2 x 3 has 6"),
        (b"oooooooo0", "longer than any image"),
        (b"O", "negative"),
    ],
)
def test_malformed_counts(counts: bytes, problem: str) -> None:
    given_counts = buffer([b"6", counts, b"6", b""])
    sizes = np.array([[2, 3]] * 4)
    for check in (rle_batch.validate, rle_batch.to_bboxes):
        with pytest.raises(MaskError, match=problem) as raised:
            check(*given_counts, sizes, threads=2)
        assert raised.value.row == 1
    if "cover" not in problem:
        with pytest.raises(MaskError, match=problem):
            rle_batch.areas(*given_counts)


def test_arrays_that_do_not_fit_each_other(implementation: str) -> None:
    if implementation == "reference":
        pytest.skip("the reference cannot read beyond its arrays")
    counts, offsets = buffer([b"6", b"6"])
    sizes = np.array([[2, 3], [2, 3]])
    with pytest.raises(ValueError, match="ascend"):
        rle_batch.areas(counts, offsets[::-1].copy())
    with pytest.raises(ValueError, match="ascend"):
        rle_batch.areas(counts, offsets + 1)
    with pytest.raises(ValueError, match="sizes"):
        rle_batch.validate(counts, offsets, sizes[:1].copy())
    with pytest.raises(ValueError, match="cannot be"):
        rle_batch.validate(counts, offsets, sizes * 2**40)
    points, numbers, polygons_each, one = arrays([[TRIANGLE]], [(2, 3)])
    with pytest.raises(ValueError, match="do not add up"):
        rle_batch.from_polygons(points[:-1].copy(), numbers, polygons_each, one)
    with pytest.raises(ValueError, match="do not add up"):
        rle_batch.from_polygons(points, numbers, polygons_each + 1, one)
    with pytest.raises(ValueError, match="negative"):
        rle_batch.from_polygons(points, -numbers, polygons_each, one)

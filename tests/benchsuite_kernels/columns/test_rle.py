"""RLE, both implementations, against pycocotools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as pycocotools_mask

from benchsuite_kernels.columns import rle
from benchsuite_kernels.dispatch import native

masks = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24),
    elements=st.integers(0, 1),
)
quick = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(rle, "native", lambda: extension if request.param == "c++" else None)
    return request.param


def official(mask: np.ndarray) -> dict[str, Any]:
    return pycocotools_mask.encode(np.asfortranarray(mask, np.uint8))


@quick
@given(masks)
def test_equals_pycocotools(mask: np.ndarray) -> None:
    want = official(mask)
    size = mask.shape
    assert rle.encode(mask) == want["counts"]
    assert rle.encode(mask.astype(bool)) == want["counts"]
    np.testing.assert_array_equal(rle.decode(want["counts"], size), mask)
    assert rle.area(want["counts"]) == pycocotools_mask.area(want)
    assert rle.validate(want["counts"], size) == mask.sum()
    assert list(rle.to_bbox(want["counts"], size)) == pycocotools_mask.toBbox(want).tolist()


@quick
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_equals_pycocotools_on_wide_images(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((37, 300)) < share
    want = official(mask)
    assert rle.encode(mask) == want["counts"]
    assert rle.encode(np.asfortranarray(mask)) == want["counts"]
    assert rle.encode(np.repeat(mask, 2, axis=1)[:, ::2]) == want["counts"]
    np.testing.assert_array_equal(rle.decode(want["counts"], mask.shape), mask)
    assert list(rle.to_bbox(want["counts"], mask.shape)) == pycocotools_mask.toBbox(want).tolist()


@pytest.mark.parametrize("fill", [0, 1])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 17), (2000, 3000)])
def test_uniform_masks(size: tuple[int, int], fill: int) -> None:
    mask = np.full(size, fill, np.uint8)
    counts = rle.encode(mask)
    assert counts == official(mask)["counts"]
    assert rle.area(counts) == mask.sum()
    assert rle.to_bbox(counts, size) == ((0, 0, size[1], size[0]) if fill else (0, 0, 0, 0))


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_an_image_without_pixels(size: tuple[int, int]) -> None:
    counts = rle.encode(np.zeros(size, bool))
    assert rle.decode(counts, size).shape == size
    assert rle.validate(counts, size) == 0
    assert rle.to_bbox(counts, size) == (0, 0, 0, 0)


def test_any_value_but_zero_is_inside() -> None:
    mask = np.array([[0, 255], [7, 1]], np.uint8)
    assert rle.encode(mask) == official(mask > 0)["counts"]


def test_str_counts_are_taken_as_files_give_them() -> None:
    counts = official(np.eye(4, dtype=np.uint8))["counts"]
    np.testing.assert_array_equal(rle.decode(counts.decode(), (4, 4)), np.eye(4))


def test_runs_of_length_zero_are_skipped() -> None:
    # 3 outside, 0 inside, 2 outside, 1 inside, 3 outside: written by hand, five bits a byte.
    counts = b"3021" + b"1"
    assert rle.area(counts) == 1
    assert rle.to_bbox(counts, (3, 3)) == (1, 2, 1, 1)


@pytest.mark.parametrize(
    ("counts", "what"),
    [
        (b"", "empty"),
        ("", "empty"),
        (b"4P", "ends within a run"),
        (b"P" * 9 + b"0", "longer than any image"),
        (b"O", "negative"),
        (b"102O", "run 3 of the RLE is negative"),
        (b"4", "cover 4 pixels, an image of 3 x 3 has 9"),
        (b"464", "cover 14 pixels, an image of 3 x 3 has 9"),
        (b"4\xff", "byte 1 of the RLE is 0xff"),
        (b"4\x00", "byte 1 of the RLE is 0x00"),
        (b"4 5", "byte 1 of the RLE is 0x20"),
        ("4é5", "character 1 of the RLE is not ASCII"),
        ([4, 5], "bytes or str, not list"),
    ],
)
def test_a_malformed_rle_is_refused_with_what_is_wrong(counts: Any, what: str) -> None:
    for read in (rle.validate, rle.decode, rle.to_bbox):
        with pytest.raises(ValueError, match=what):
            read(counts, (3, 3))


@quick
@given(st.binary(max_size=12))
def test_junk_is_read_or_refused_but_never_crashes(counts: bytes) -> None:
    size = (5, 7)
    try:
        area = rle.validate(counts, size)
    except ValueError:
        for read in (rle.decode, rle.to_bbox):
            with pytest.raises(ValueError):
                read(counts, size)
    else:
        assert rle.decode(counts, size).sum() == area == rle.area(counts)


@quick
@given(st.binary(max_size=8).map(lambda junk: bytes(48 + byte % 64 for byte in junk)))
def test_implementations_refuse_the_same(counts: bytes) -> None:
    extension = native()
    if extension is None:
        pytest.skip("the extension is not built")

    def outcomes() -> Iterator[object]:
        for kernels in (rle.rle_reference, extension.rle):
            try:
                yield kernels.area(counts)
            except ValueError:
                yield "refused"

    assert len(set(outcomes())) == 1


@pytest.mark.parametrize("size", [(-1, 4), (2**20, 2**20), (2**70, 1)])
def test_an_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        rle.validate(b"0", size)


@pytest.mark.parametrize("mask", [np.zeros(3, bool), np.zeros((2, 2), np.float32)])
def test_what_is_no_mask_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="bool or uint8"):
        rle.encode(mask)


@quick
@given(masks)
def test_uncompressed_counts(mask: np.ndarray) -> None:
    height, width = mask.shape
    runs = rle.rle_reference.runs_of(mask != 0).tolist()
    want = pycocotools_mask.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    assert rle.from_runs(runs, mask.shape) == want["counts"]


@pytest.mark.parametrize(
    ("runs", "what"),
    [([], "non-empty"), ([1.5], "integers"), ([4, -1, 6], "run 1"), ([4, 4], "cover 8 pixels")],
)
def test_bad_uncompressed_counts(runs: list[float], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        rle.from_runs(runs, (3, 3))


def test_polygons_are_joined() -> None:
    polygons = [[1, 1, 6, 1, 6, 4, 1, 4], [4, 3, 9, 3, 9, 9]]
    mask = rle.decode(rle.from_polygons(polygons, (10, 12)), (10, 12))
    parts = pycocotools_mask.decode(pycocotools_mask.frPyObjects(polygons, 10, 12))
    np.testing.assert_array_equal(mask, parts.any(axis=2))


@pytest.mark.parametrize(
    ("polygons", "what"),
    [
        ([], "no polygon"),
        ([[0, 0, 1, 1]], "polygon 0 has 4 numbers"),
        ([[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2, 3]], "polygon 1 has 7 numbers"),
        ([[0, 0, 1, 1, float("nan"), 2]], "not finite"),
    ],
)
def test_bad_polygons(polygons: list[list[float]], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        rle.from_polygons(polygons, (5, 5))


@quick
@given(st.integers(0, 2**32), st.integers(1, 5), st.booleans(), st.floats(0.05, 0.95))
def test_merged_as_pycocotools_merges(seed: int, count: int, intersect: bool, share: float) -> None:
    given_masks = np.random.default_rng(seed).random((count, 13, 21)) < share
    given_masks[0] |= seed % 2 == 1
    encoded = [official(mask) for mask in given_masks]
    want = pycocotools_mask.merge(encoded, intersect=intersect)
    counts = [each["counts"] for each in encoded]
    assert rle.merge(counts, (13, 21), intersect=intersect) == want["counts"]


def test_what_cannot_be_merged() -> None:
    with pytest.raises(ValueError, match="no mask"):
        rle.merge([], (3, 4))
    with pytest.raises(ValueError, match="cover 63 pixels"):
        rle.merge([b"o1", b"o1"], (8, 9))
    assert rle.merge([b"0", "0"], (0, 9)) == b"0"

"""Regions of instance maps and masks over them: both implementations, against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as pycocotools_mask

from benchsuite_kernels.columns import instance_maps, rle
from benchsuite_kernels.dispatch import native

NUMBERS = [0, 7, 24, 26, 26000, 26001, 65535]

maps = hnp.arrays(
    np.uint16,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20),
    elements=st.sampled_from(NUMBERS),
)
quick = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    chosen = extension if request.param == "c++" else None
    monkeypatch.setattr(instance_maps, "native", lambda: chosen)
    return request.param


def buffers(counts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, counts)])
    return np.frombuffer(b"".join(counts), np.uint8), offsets


@quick
@given(maps, st.sampled_from([0, 8, 26, 65535]))
def test_regions(numbers: np.ndarray, smallest: int) -> None:
    found = instance_maps.regions(numbers, smallest)
    present = np.unique(numbers)
    assert found.values.tolist() == present[present >= smallest].tolist()
    for place, value in enumerate(found.values):
        mask = np.asfortranarray(numbers == value, np.uint8)
        want = pycocotools_mask.encode(mask)
        assert found.counts[place] == want["counts"]
        assert found.areas[place] == mask.sum()
        assert found.boxes[place].tolist() == pycocotools_mask.toBbox(want).tolist()


@quick
@given(maps, st.integers(0, 5), st.integers(0, 2**32))
def test_overlaps(numbers: np.ndarray, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    masks = random.random((count, *numbers.shape)) < random.random((count, 1, 1))
    found = instance_maps.overlaps(numbers, *buffers([rle.encode(mask) for mask in masks]))
    assert len(found.starts) == count + 1
    for place, mask in enumerate(masks):
        rows = slice(found.starts[place], found.starts[place + 1])
        values, pixels = np.unique(numbers[mask], return_counts=True)
        assert found.values[rows].tolist() == values.tolist()
        assert found.pixels[rows].tolist() == pixels.tolist()


def test_maps_of_any_memory_order() -> None:
    numbers = np.random.default_rng(0).choice(NUMBERS, (33, 70)).astype(np.uint16)
    straight = instance_maps.regions(numbers)
    for same in (np.asfortranarray(numbers), np.repeat(numbers, 2, axis=1)[:, ::2]):
        assert instance_maps.regions(same).counts == straight.counts


def test_runs_over_several_columns() -> None:
    numbers = np.array([[1, 1, 2], [1, 2, 2]], np.uint16)
    full = rle.from_runs([0, 6], (2, 3))
    found = instance_maps.overlaps(numbers, *buffers([full, rle.from_runs([6], (2, 3))]))
    assert found.values.tolist() == [1, 2]
    assert found.pixels.tolist() == [3, 3]
    assert found.starts.tolist() == [0, 2, 2]


@pytest.mark.parametrize("bad", [b"", b"4", b"464", b"4P", b"\xff"])
def test_a_malformed_mask_is_named(bad: bytes) -> None:
    numbers = np.zeros((3, 3), np.uint16)
    good = rle.encode(np.eye(3, dtype=bool))
    with pytest.raises(ValueError, match=r"^mask 1: .*RLE"):
        instance_maps.overlaps(numbers, *buffers([good, bad, good]))


@pytest.mark.parametrize(
    "unfit",
    [np.zeros((2, 2), np.int32), np.zeros(4, np.uint16), np.zeros((0, 3), np.uint16)],
)
def test_what_is_no_instance_map(unfit: np.ndarray) -> None:
    with pytest.raises(ValueError, match="an instance map is"):
        instance_maps.regions(unfit)


def test_offsets_beyond_the_counts_are_refused(implementation: str) -> None:
    if implementation == "reference":
        pytest.skip("NumPy's slices cannot leave an array")
    numbers = np.zeros((3, 3), np.uint16)
    counts = np.frombuffer(rle.encode(np.eye(3, dtype=bool)), np.uint8)
    for offsets in ([0, 99], [-1, 2], [3, 1]):
        with pytest.raises(ValueError, match="offsets"):
            instance_maps.overlaps(numbers, counts, np.array(offsets))

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from benchsuite.errors import InputError
from benchsuite.predictions.label_maps import decode_semantic, encode_panoptic
from benchsuite.protocols import Truth
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite.specs import Category
from benchsuite_plugins.datasets.panoptic_to_semantic import semantic_map, with_semantic_maps

SEGMENTS = np.array([[0, 7], [300, 65536]], dtype=np.int32)


def truth(categories: dict[int, int]) -> Truth:
    """Panoptic truth of two images, the second of which has no map."""
    segments = [
        {"id": segment, "category_id": category} for segment, category in categories.items()
    ]
    rows = [
        {
            "image_id": 1,
            "file_name": "a.png",
            "width": 2,
            "height": 2,
            "panoptic_png": encode_panoptic(SEGMENTS),
            "segments": segments,
        },
        {"image_id": 2, "file_name": "b.png", "width": 2, "height": 2},
    ]
    return Truth(
        images=pa.Table.from_pylist(rows, schema=TRUTH_IMAGES),
        instances=TRUTH_INSTANCES.empty_table(),
        categories=tuple(Category(number, f"c{number}") for number in set(categories.values())),
        source="panoptic.json",
    )


def test_segments_become_categories() -> None:
    found = semantic_map(SEGMENTS, {7: 3, 300: 65535, 65536: 3})
    assert found.dtype == np.uint16 and found.tolist() == [[0, 3], [65535, 3]]


def test_a_segment_that_is_not_listed_is_void() -> None:
    assert semantic_map(SEGMENTS, {7: 3}).tolist() == [[0, 3], [0, 0]]


def test_id_zero_may_be_a_category() -> None:
    found = semantic_map(SEGMENTS, {7: 0, 300: 92, 65536: 0}, void=255)
    assert found.tolist() == [[255, 0], [92, 0]]
    with_zero = with_semantic_maps(truth({7: 0, 300: 92, 65536: 0}))
    assert decode_semantic(with_zero.images["semantic_png"][0].as_py()).tolist() == found.tolist()


def test_maps_in_files(tmp_path: Path) -> None:
    in_memory = truth({7: 3, 300: 9, 65536: 3})
    file = tmp_path / "map.png"
    file.write_bytes(encode_panoptic(SEGMENTS))
    rows = in_memory.images.to_pylist()
    rows[0] |= {"panoptic_png": None, "panoptic_path": str(file)}
    in_files = replace(in_memory, images=pa.Table.from_pylist(rows, schema=TRUTH_IMAGES))
    found = with_semantic_maps(in_files).images["semantic_png"]
    assert found == with_semantic_maps(in_memory).images["semantic_png"]
    file.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"map\.png, image id 1: the map is no PNG file"):
        with_semantic_maps(in_files)


@pytest.mark.parametrize("category", [0, -1, 65536])
def test_a_category_that_does_not_fit_is_refused(category: int) -> None:
    with pytest.raises(ValueError, match=f"category id {category} does not fit"):
        semantic_map(SEGMENTS, {7: category})


@pytest.mark.parametrize(("largest", "mode"), [(255, "L"), (256, "I;16")])
def test_truth_gains_maps_as_wide_as_its_categories(largest: int, mode: str) -> None:
    before = truth({7: 3, 300: largest, 65536: 3})
    after = with_semantic_maps(before)
    assert after.images.schema.equals(TRUTH_IMAGES)
    assert after.images.drop(["semantic_png"]) == before.images.drop(["semantic_png"])
    assert (after.categories, after.source) == (before.categories, before.source)
    first, second = after.images["semantic_png"].to_pylist()
    assert second is None
    with Image.open(io.BytesIO(first)) as png:
        assert png.mode.startswith(mode)
    assert decode_semantic(first).tolist() == [[0, 3], [largest, 3]]

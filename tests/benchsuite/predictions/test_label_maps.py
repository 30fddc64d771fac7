from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchsuite.predictions.label_maps import (
    LARGEST_SEGMENT,
    decode_panoptic,
    decode_semantic,
    encode_panoptic,
    encode_semantic,
)


@pytest.mark.parametrize(("dtype", "mode"), [(np.uint8, "L"), (np.uint16, "I;16")])
def test_semantic_maps_come_back(dtype: type, mode: str) -> None:
    ids = np.array([[0, 1, 254], [255, np.iinfo(dtype).max, 7]], dtype)
    png = encode_semantic(ids)
    assert Image.open(io.BytesIO(png)).mode == mode
    assert decode_semantic(png).dtype == np.uint16
    assert (decode_semantic(png) == ids).all()


def test_panoptic_maps_come_back() -> None:
    segments = np.array([[0, 1, 255], [256, 65536 + 3 * 256 + 2, LARGEST_SEGMENT]], np.int32)
    png = encode_panoptic(segments)
    assert (decode_panoptic(png) == segments).all()
    assert Image.open(io.BytesIO(png)).getpixel((1, 1)) == (2, 3, 1), "R + 256 G + 65536 B"


def test_maps_that_are_views() -> None:
    segments = np.arange(48, dtype=np.int64).reshape(6, 8).T[::2]
    assert (decode_panoptic(encode_panoptic(segments)) == segments).all()
    ids = segments.astype(np.uint8)[:, ::-1]
    assert (decode_semantic(encode_semantic(ids)) == ids).all()


def test_a_map_of_the_panoptic_api(shared_data) -> None:
    """Read as COCO's own tool reads it, written and read again."""
    for path in sorted((shared_data / "panoptic_sample").rglob("*.png")):
        with Image.open(path) as image:
            if image.mode != "RGB":
                continue
            red, green, blue = np.asarray(image).astype(np.uint32).transpose(2, 0, 1)
        ids = red + green * 256 + blue * 256 * 256
        assert (decode_panoptic(path.read_bytes()) == ids).all()
        assert (decode_panoptic(encode_panoptic(ids)) == ids).all()
        return
    pytest.fail("no panoptic map in the sample")

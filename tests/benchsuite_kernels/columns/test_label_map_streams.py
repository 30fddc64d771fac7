"""Decompression and checksums of label maps, held against zlib: both implementations."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite_kernels.columns import label_maps
from benchsuite_kernels.columns.label_maps import MapError, decode
from benchsuite_kernels.dispatch import native


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    chosen = extension if request.param == "c++" else None
    monkeypatch.setattr(label_maps, "native", lambda: chosen)
    return request.param


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey_png(width: int, height: int, stream: bytes) -> bytes:
    """A PNG of 8 bits a pixel whose compressed data are given."""
    fields = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", fields) + chunk(b"IDAT", stream) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def inflated(stream: bytes, size: int) -> bytes | None:
    """What zlib makes of a stream that becomes ``size`` bytes; ``None`` if it does not."""
    decompressor = zlib.decompressobj()
    try:
        data = decompressor.decompress(stream, size + 1)
    except zlib.error:
        return None
    return data if decompressor.eof and len(data) == size else None


def own_inflated(stream: bytes, size: int) -> bytes | None:
    """The same by the kernel: a map of one row that has no filter, or a filter that is none."""
    try:
        return b"\0" + decode(grey_png(size - 1, 1, stream), "grey").tobytes()
    except MapError as error:
        assert "is a damaged PNG file" in str(error)
        return None


texts = st.one_of(
    st.binary(min_size=1, max_size=3000),
    st.builds(
        lambda part, times: part * times, st.binary(min_size=1, max_size=40), st.integers(1, 500)
    ),
    st.builds(
        lambda seed, weights: bytes(
            random.Random(seed).choices(range(len(weights)), weights, k=4000)
        ),
        st.integers(0, 2**32),
        st.lists(st.integers(1, 1 << 20), min_size=1, max_size=256),
    ),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_streams_are_read_and_refused_as_zlib_does(data: st.DataObject) -> None:
    content = b"\0" + data.draw(texts)
    compressor = zlib.compressobj(
        data.draw(st.integers(0, 9)),
        zlib.DEFLATED,
        data.draw(st.integers(9, 15)),
        data.draw(st.integers(1, 9)),
        data.draw(st.integers(0, 4)),
    )
    half = len(content) // 2
    stream = compressor.compress(content[:half])
    stream += compressor.flush(
        data.draw(st.sampled_from([zlib.Z_NO_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH]))
    )
    stream += compressor.compress(content[half:]) + compressor.flush()
    assert own_inflated(stream, len(content)) == content
    damaged = bytearray(stream)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, min(len(stream), 60) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    want = inflated(bytes(damaged), len(content))
    found = own_inflated(bytes(damaged), len(content))
    if want is None or want[0] == 0:
        assert found == want


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 4095, 4096, 4097, 5552, 70000, 300001])
@pytest.mark.parametrize("level", [0, 6])
def test_checksums_of_all_lengths(size: int, level: int) -> None:
    pixels = np.full(size, 255, np.uint8)
    pixels[:: size // 3 + 1] = 254
    stream = zlib.compress(b"\0" + pixels.tobytes(), level)
    np.testing.assert_array_equal(decode(grey_png(size, 1, stream), "grey")[0], pixels)
    wrong = stream[:-1] + bytes([stream[-1] ^ 1])
    with pytest.raises(MapError, match="is a damaged PNG file"):
        decode(grey_png(size, 1, wrong), "grey")

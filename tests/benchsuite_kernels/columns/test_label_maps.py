"""Label maps: both implementations, against Pillow, zlib and plain NumPy."""

from __future__ import annotations

import io
import random
import struct
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from benchsuite_kernels.columns import label_maps
from benchsuite_kernels.columns.label_maps import (
    MapError,
    PairCounts,
    count_pairs,
    count_pairs_of_each,
    decode,
    read_size,
)
from benchsuite_kernels.dispatch import native

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)

quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    chosen = extension if request.param == "c++" else None
    monkeypatch.setattr(label_maps, "native", lambda: chosen)
    return request.param


# --- a PNG writer that does what encoders may do, and Pillow's does not -------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, bits: int, colour_type: int, interlaced: bool = False) -> bytes:
    fields = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", fields)


def paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    return min((left, above, corner), key=lambda value: abs(estimate - value))


def filtered(rows: list[bytes], step: int, filters: list[int]) -> bytes:
    """Each row with its filter, by the definitions of the specification."""
    result = bytearray()
    above = bytes(len(rows[0]))
    for y, row in enumerate(rows):
        number = filters[y % len(filters)]
        result.append(number)
        for i, value in enumerate(row):
            left = row[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            predicted = (0, left, above[i], (left + above[i]) // 2, paeth(left, above[i], corner))
            result.append((value - predicted[number]) & 0xFF)
        above = row
    return bytes(result)


def packed(samples: np.ndarray, bits: int) -> list[bytes]:
    """Rows of (H, W, channels) samples."""
    flat = samples.reshape(len(samples), -1)
    if bits == 16:
        return [row.astype(">u2").tobytes() for row in flat]
    if bits == 8:
        return [row.astype(np.uint8).tobytes() for row in flat]
    spread = (flat[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
    return [np.packbits(row).tobytes() for row in spread.reshape(len(flat), -1)]


def png(
    samples: np.ndarray,
    bits: int,
    colour_type: int,
    *,
    filters: list[int] | None = None,
    interlaced: bool = False,
    level: int = 6,
    strategy: int = zlib.Z_DEFAULT_STRATEGY,
    pieces: int = 1,
) -> bytes:
    """A PNG of (H, W, channels) samples."""
    height, width, channels = samples.shape
    step = max(1, channels * bits // 8)
    raw = b""
    for x, y, dx, dy in ADAM7 if interlaced else ((0, 0, 1, 1),):
        part = samples[y::dy, x::dx]
        if part.size:
            raw += filtered(packed(part, bits), step, filters or [0])
    compressor = zlib.compressobj(level, zlib.DEFLATED, 15, 8, strategy)
    data = compressor.compress(raw) + compressor.flush()
    bounds = [len(data) * piece // pieces for piece in range(pieces + 1)]
    parts = [chunk(b"IDAT", data[a:b]) for a, b in pairwise(bounds)]
    palette = b""
    if colour_type == PALETTE:
        palette = chunk(b"PLTE", bytes(random.Random(0).randbytes(3 << bits)))
    text = chunk(b"tEXt", b"Comment\0a map")
    start = header(width, height, bits, colour_type, interlaced)
    return b"".join([start, palette, text, *parts, chunk(b"IEND", b"")])


def numbers_of(encoded: bytes) -> np.ndarray:
    """What Pillow and NumPy make of a map, as official scorers do."""
    with Image.open(io.BytesIO(encoded)) as image:
        pixels = np.asarray(image).astype(np.int64)
    return pixels if pixels.ndim == 2 else pixels[..., :3] @ np.array([1, 256, 65536])


@st.composite
def samples(draw: st.DrawFn, colour_type: int, bits: int) -> np.ndarray:
    """Pixels in which neighbours are often equal, as those of label maps are."""
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 90))
    values = np.random.default_rng(draw(st.integers(0, 2**32)))
    coarse = values.integers(0, 1 << bits, (height, width, SAMPLES[colour_type]))
    block = draw(st.integers(1, 25))
    rows, columns = np.arange(height) // draw(st.integers(1, 7)), np.arange(width) // block
    return coarse[rows % height][:, columns % width]


KINDS = [
    *((GREY, bits) for bits in (1, 2, 4, 8, 16)),
    *((PALETTE, bits) for bits in (1, 2, 4, 8)),
    *((RGB, 8), (RGBA, 8)),
]


@quick
@given(st.data())
def test_decodes_as_pillow_does(data: st.DataObject) -> None:
    colour_type, bits = data.draw(st.sampled_from(KINDS))
    encoded = png(
        data.draw(samples(colour_type, bits)),
        bits,
        colour_type,
        filters=data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=5)),
        interlaced=data.draw(st.booleans()),
        level=data.draw(st.integers(0, 9)),
        strategy=data.draw(
            st.sampled_from(
                [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE]
            )
        ),
        pieces=data.draw(st.integers(1, 4)),
    )
    form: label_maps.Form = "colour" if colour_type in (RGB, RGBA) else "grey"
    found = decode(encoded, form)
    assert found.dtype == {"grey": np.uint16 if bits == 16 else np.uint8}.get(form, np.uint32)
    np.testing.assert_array_equal(found, numbers_of(encoded))
    assert read_size(encoded) == found.shape


@quick
@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)),
    st.integers(0, 2**32),
    st.sampled_from(["grey", "colour"]),
    st.sampled_from(["grey", "colour"]),
)
def test_counts_pairs(
    coarse: np.ndarray, seed: int, truth_form: label_maps.Form, prediction_form: label_maps.Form
) -> None:
    random_numbers = np.random.default_rng(seed)
    maps, encoded = [], []
    for form in (truth_form, prediction_form):
        few = random_numbers.integers(0, 1 << (24 if form == "colour" else 16), 5)
        numbers = np.repeat(few[coarse % 5], 9, axis=1)
        moved = np.roll(numbers, int(random_numbers.integers(0, 9)), axis=1)
        maps.append(moved)
        encoded.append(colour_png(moved) if form == "colour" else grey_png(moved))
    counts = count_pairs(
        encoded[:1], encoded[1:], truth_form=truth_form, prediction_form=prediction_form, threads=1
    )
    pairs, pixels = np.unique(maps[0].ravel() << 24 | maps[1].ravel(), return_counts=True)
    assert counts.starts.tolist() == [0, len(pairs)]
    np.testing.assert_array_equal(counts.truths << 24 | counts.predictions, pairs)
    np.testing.assert_array_equal(counts.pixels, pixels)


def count(truths: Any, predictions: Any, form: label_maps.Form, threads: int = 1) -> PairCounts:
    forms: Any = {"truth_form": form, "prediction_form": form}
    return count_pairs(truths, predictions, **forms, threads=threads)


def colour_png(numbers: np.ndarray) -> bytes:
    channels = np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16], axis=-1)
    return png(channels, 8, RGB, filters=[4, 2, 1])


def grey_png(numbers: np.ndarray) -> bytes:
    return png(numbers[..., None], 16, GREY, filters=[1, 4, 3])


def boundary(mask: np.ndarray, distance: int) -> np.ndarray:
    """A mask's pixels that eroding it so often, by 3 x 3 with nothing around it, takes away."""
    eroded = np.pad(mask, 1)
    for _ in range(distance):
        whole = np.pad(eroded, 1, constant_values=True)
        neighbours = [np.roll(whole, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        eroded = np.logical_and.reduce(neighbours)[1:-1, 1:-1]
    return mask & ~eroded[1:-1, 1:-1]


@quick
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.02, 0.1, 0.3]))
def test_counts_pairs_at_boundaries(seed: int, ratio: float) -> None:
    random_numbers = np.random.default_rng(seed)
    height, width = random_numbers.integers(1, 40, 2)
    block = random_numbers.integers(1, 20)
    coarse = random_numbers.integers(0, 5, (2, height, width))
    at = np.arange(height) // block, np.arange(width) // block
    truth, prediction = (each[at[0]][:, at[1]] for each in coarse)
    # Numbers 1 and 2 of the truth are both of class 0, number 0 is of none; so is 4 predicted.
    truth_classes = np.array([-1, 0, 0, 7, 65533])
    prediction_classes = np.array([0, 1, 7, 65533, -1])
    listed = [
        label_maps.MapClasses(np.flatnonzero(of >= 0), of[of >= 0])
        for of in (truth_classes, prediction_classes)
    ]
    own = label_maps.MapClasses(listed[0].numbers, listed[0].classes, np.array([0, 4]))
    found = label_maps.count_boundary_pairs(
        [colour_png(truth)],
        [grey_png(prediction)],
        own if seed % 2 else listed[0],
        listed[1],
        truth_form="colour",
        prediction_form="grey",
        dilation_ratio=ratio,
        threads=1,
    )
    a, b = truth_classes[truth], prediction_classes[prediction]
    distance = max(1, round(ratio * float(np.sqrt(height**2 + width**2))))
    marked = []
    for classes in (a, b):
        at_boundary = np.full(classes.shape, label_maps.NOT_AT_BOUNDARY)
        for number in {*classes.ravel().tolist()} - {-1}:
            at_boundary[boundary(classes == number, distance)] = number
        marked.append(at_boundary)
    counted = (a >= 0) & ~((marked[0] == 65535) & (marked[1] == 65535))
    pairs, pixels = np.unique(marked[0][counted] << 16 | marked[1][counted], return_counts=True)
    np.testing.assert_array_equal(found.truths << 16 | found.predictions, pairs)
    np.testing.assert_array_equal(found.pixels, pixels)


def test_classes_of_each_map() -> None:
    numbers = np.array([[1, 1, 2, 2, 2]])
    classes = label_maps.MapClasses(np.array([1, 2, 2]), np.array([5, 6, 9]), np.array([0, 2, 3]))
    found = label_maps.count_boundary_pairs(
        [grey_png(numbers)] * 2,
        [grey_png(numbers)] * 2,
        classes,
        classes,
        truth_form="grey",
        prediction_form="grey",
        dilation_ratio=0.02,
        threads=2,
    )
    columns = found.images, found.truths, found.predictions, found.pixels
    assert list(zip(*(c.tolist() for c in columns))) == [(0, 5, 5, 2), (0, 6, 6, 3), (1, 9, 9, 3)]


def test_many_different_numbers() -> None:
    truth = np.random.default_rng(0).permutation(64 * 500).reshape(64, 500)
    prediction = truth[::-1] + 70000
    counts = count([colour_png(truth)], [colour_png(prediction)], "colour")
    order = np.argsort(truth.ravel())
    np.testing.assert_array_equal(counts.truths, truth.ravel()[order])
    np.testing.assert_array_equal(counts.predictions, prediction.ravel()[order])
    assert (counts.pixels == 1).all()


@pytest.mark.parametrize("threads", [1, 3])
def test_many_maps_from_files_and_memory(tmp_path: Path, threads: int) -> None:
    random_numbers = np.random.default_rng(1)
    truths: list[Any] = []
    predictions: list[Any] = []
    want = []
    for item in range(12):
        size = random_numbers.integers(1, 30, 2)
        maps = random_numbers.integers(0, 3, (2, *size))
        pairs = ((a, b, (maps[0] == a) & (maps[1] == b)) for a in range(3) for b in range(3))
        want += [(item, a, b, int(both.sum())) for a, b, both in pairs if both.any()]
        files = tmp_path / f"truth_{item}.png", tmp_path / f"prediction_{item}.png"
        for file, numbers in zip(files, maps):
            file.write_bytes(png(numbers[..., None], 8, GREY))
        truths.append(files[0] if item % 2 else str(files[0]))
        predictions.append(files[1] if item % 3 else memoryview(files[1].read_bytes()))
    counts = count(truths, predictions, "grey", threads)
    columns = counts.images, counts.truths, counts.predictions, counts.pixels
    assert list(zip(*(column.tolist() for column in columns))) == want
    assert read_size(truths[0]) == decode(truths[0], "grey").shape


def test_no_maps_at_all() -> None:
    counts = count([], [], "grey", 4)
    assert counts.starts.tolist() == [0] and len(counts.pixels) == 0 == len(counts.images)


def test_several_kinds_of_truth() -> None:
    random_numbers = np.random.default_rng(2)
    labels, segments, predicted = random_numbers.integers(0, 4, (3, 5, 9, 30))
    encoded_labels = [png(each[..., None], 8, GREY) for each in labels]
    encoded_segments = [colour_png(each + 70000) for each in segments]
    predictions = [png(each[..., None], 8, GREY) for each in predicted]
    of_labels, of_segments = count_pairs_of_each(
        [encoded_labels, encoded_segments],
        predictions,
        truth_forms=["grey", "colour"],
        prediction_form="grey",
        threads=2,
    )
    assert_equal_counts(of_labels, count(encoded_labels, predictions, "grey"))
    alone = count_pairs(
        encoded_segments, predictions, truth_form="colour", prediction_form="grey", threads=1
    )
    assert_equal_counts(of_segments, alone)
    assert of_segments.truths.min() >= 70000


def assert_equal_counts(one: PairCounts, other: PairCounts) -> None:
    for name in ("starts", "truths", "predictions", "pixels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_kind_of_a_bad_map_is_named() -> None:
    sound, small = png(np.ones((3, 4, 1), int), 8, GREY), png(np.ones((3, 3, 1), int), 8, GREY)
    for item, (first, second, last), problem, side, kind in (
        (1, (sound, b"no", sound), "is no PNG file", "truth", 1),
        (0, (b"no", b"no", b"no"), "is no PNG file", "truth", 0),
        (2, (sound, sound, b"no"), "is no PNG file", "prediction", 0),
        (1, (sound, small, sound), "is of 4 x 3 pixels, the truth's map of 3 x 3", "prediction", 0),
    ):
        columns = [[sound] * item + [each, sound] for each in (first, second, last)]
        with pytest.raises(MapError, match=problem) as caught:
            count_pairs_of_each(
                columns[:2],
                columns[2],
                truth_forms=["grey", "grey"],
                prediction_form="grey",
                threads=1,
            )
        assert (caught.value.item, caught.value.side, caught.value.kind) == (item, side, kind)


def test_as_many_on_both_sides() -> None:
    with pytest.raises(ValueError, match="1 maps of truth against 0"):
        count([b""], [], "grey")


# --- what is no sound map -----------------------------------------------------------------------

SOUND = png(np.arange(300).reshape(15, 20, 1) // 7, 8, GREY, filters=[4, 1, 2, 3])


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_bad_map_is_named(threads: int) -> None:
    truths, predictions = [SOUND] * 40, [SOUND] * 40
    truths[31] = SOUND[:60]
    predictions[7] = png(np.zeros((15, 21, 1), int), 8, GREY)
    truths[22] = b"nothing"
    with pytest.raises(
        MapError, match="is of 21 x 15 pixels, the truth's map of 20 x 15"
    ) as caught:
        count(truths, predictions, "grey", threads)
    assert (caught.value.item, caught.value.side) == (7, "prediction")
    truths[3] = b""
    with pytest.raises(MapError, match="is no PNG file") as caught:
        count(truths, predictions, "grey", threads)
    assert (caught.value.item, caught.value.side) == (3, "truth")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "gone.png"
    for use in (lambda: decode(missing, "grey"), lambda: read_size(missing)):
        with pytest.raises(MapError, match="cannot be read: No such file"):
            use()
    for folder_or_missing in (missing, tmp_path):
        with pytest.raises(MapError, match="cannot be read") as caught:
            count([SOUND], [folder_or_missing], "grey")
        assert caught.value.side == "prediction"


WRONG_FORMS = [
    ("grey", png(np.zeros((2, 3, 3), int), 8, RGB), "is a PNG in colour"),
    ("grey", png(np.zeros((2, 3, 4), int), 8, RGBA), "is a PNG in colour"),
    ("grey", png(np.zeros((2, 3, 2), int), 8, GREY_ALPHA), "with transparency"),
    ("colour", png(np.zeros((2, 3, 1), int), 8, GREY), "without colours"),
    ("colour", png(np.zeros((2, 3, 1), int), 8, PALETTE), "without colours"),
    ("colour", png(np.zeros((2, 3, 3), int), 16, RGB), "16 bits a colour"),
]


@pytest.mark.parametrize(("form", "encoded", "problem"), WRONG_FORMS)
def test_maps_of_another_form(form: label_maps.Form, encoded: bytes, problem: str) -> None:
    with pytest.raises(MapError, match=problem):
        decode(encoded, form)


BAD_HEADERS = [
    (header(0, 5, 8, GREY), "0 x 5 pixels"),
    (header(1 << 31, 5, 8, GREY), "which no map has"),
    (header(1 << 20, 1 << 20, 8, GREY), "which no map has"),
    (header(5, 5, 3, GREY), "no PNG can be"),
    (header(5, 5, 8, 1), "no PNG can be"),
    (header(5, 5, 16, PALETTE), "no PNG can be"),
    (b"\xff\xd8\xff\xe0" + bytes(60), "is no PNG file"),
    (header(5, 5, 8, GREY)[:20], "cut off"),
    (header(5, 5, 8, GREY)[:-1] + b"x", "checksum of a chunk"),
    (b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", bytes(13)), "does not begin as one"),
]


@pytest.mark.parametrize(("start", "problem"), BAD_HEADERS)
def test_bad_headers(start: bytes, problem: str) -> None:
    for use in (read_size, lambda source: decode(source, "grey")):
        with pytest.raises(MapError, match=problem):
            use(start + chunk(b"IDAT", zlib.compress(bytes(30))) if len(start) >= 33 else start)


def test_a_small_file_of_many_pixels_takes_no_memory() -> None:
    encoded = header(16000, 16000, 8, GREY) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    with pytest.raises(MapError, match="is a damaged PNG file"):
        decode(encoded + chunk(b"IEND", b""), "grey")


@pytest.mark.parametrize("cut", range(0, len(SOUND) - 12, 3))
def test_cut_off_anywhere(cut: int) -> None:
    with pytest.raises(MapError):
        decode(SOUND[:cut], "grey")


@quick
@given(st.integers(0, len(SOUND) - 13), st.integers(0, 7))
def test_a_flipped_bit_is_found(byte: int, bit: int) -> None:
    damaged = bytearray(SOUND)
    damaged[byte] ^= 1 << bit
    try:
        found = decode(bytes(damaged), "grey")
    except MapError:
        return
    # In a chunk that nothing depends on.
    assert byte >= 33
    np.testing.assert_array_equal(found, numbers_of(SOUND))


def test_missing_and_surplus_pixels() -> None:
    for rows in (4, 6):
        data = zlib.compress(bytes(rows * 6))
        encoded = header(5, 5, 8, GREY) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
        with pytest.raises(MapError, match="is a damaged PNG file"):
            decode(encoded, "grey")


def test_an_unknown_filter() -> None:
    data = zlib.compress(bytes([0, 1, 2, 9, 1, 2]))
    with pytest.raises(MapError, match="is a damaged PNG file"):
        decode(header(2, 2, 8, GREY) + chunk(b"IDAT", data) + chunk(b"IEND", b""), "grey")

"""The scanner of COCO's JSON files against Python's json, on whole, mutated and cut-off files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchsuite_kernels.columns import coco_json, coco_json_reference
from benchsuite_kernels.columns.coco_json import COUNTS, NONE, PADDING, POLYGONS, RUNS
from benchsuite_kernels.dispatch import native

quick = settings(deadline=None, suppress_health_check=list(HealthCheck))
extension = native()
needs_extension = pytest.mark.skipif(extension is None, reason="the extension is not built")

# --- texts ------------------------------------------------------------------------------------

spaces = st.sampled_from(["", "", "", " ", "\n", " \t\r\n "])
letters = st.text(st.sampled_from('aé\\"/{}[],: \u2028😀'), max_size=6)


@st.composite
def number_texts(draw: st.DrawFn) -> str:
    """Numbers as files write them, and as they could."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return str(draw(st.integers(-(2**70), 2**70) | st.integers(-1000, 1000)))
    if kind == 1:
        return repr(draw(st.floats(allow_nan=False, allow_infinity=False)))
    if kind == 2:
        return f"{draw(st.floats(-1000, 1000)):.{draw(st.integers(0, 25))}f}"
    if kind == 3:
        return draw(st.sampled_from(["NaN", "Infinity", "-Infinity", "-0", "-0.0", "0e5", "1E+2"]))
    if kind == 4:
        return repr(float(np.float32(draw(st.floats(0, 1000)))))
    digits = draw(st.text("0123456789", min_size=1, max_size=30)).lstrip("0") or "0"
    fraction = draw(st.just("") | st.text("0123456789", min_size=1, max_size=30).map(".".__add__))
    power = draw(st.just("") | st.integers(-360, 330).map("e{}".format))
    return f"{digits}{fraction}{power}"


integers = st.sampled_from(["0", "7", "42.0", "9223372036854775807", "-9223372036854775808", "1e3"])
odd = st.sampled_from(
    ["true", "false", "null", "[]", "{}", '"7"', "1.5", "9223372036854775808", "1e400", "[[]]"]
)
mask_counts = st.text(st.characters(min_codepoint=0x30, max_codepoint=0x6F), max_size=12)


@st.composite
def json_texts(draw: st.DrawFn, depth: int = 2) -> str:
    """Any value."""
    kind = draw(st.integers(0, 5 if depth else 3))
    if kind == 0:
        return draw(number_texts())
    if kind == 1:
        return json.dumps(draw(letters), ensure_ascii=draw(st.booleans()))
    if kind in (2, 3):
        return draw(
            st.sampled_from(["true", "false", "null", '"\\u0041\\ud83d\\ude00"', "[]", "{}"])
        )
    items = draw(st.lists(json_texts(depth - 1), max_size=3))
    if kind == 4:
        return array_text(draw, items)
    return object_text(draw, [(draw(letters), item) for item in items])


def array_text(draw: Callable[..., Any], items: Sequence[str]) -> str:
    return f"[{','.join(draw(spaces) + item + draw(spaces) for item in items)}{draw(spaces)}]"


def object_text(draw: Callable[..., Any], pairs: Sequence[tuple[str, str]]) -> str:
    names = [
        draw(spaces) + json.dumps(name, ensure_ascii=False) + draw(spaces) for name, _ in pairs
    ]
    values = [draw(spaces) + value + draw(spaces) for _, value in pairs]
    fields = ",".join(f"{name}:{value}" for name, value in zip(names, values))
    return f"{{{fields}{draw(spaces)}}}"


def numbers_text(draw: Callable[..., Any], low: int, high: int) -> str:
    return array_text(draw, draw(st.lists(number_texts(), min_size=low, max_size=high)))


@st.composite
def record_texts(draw: st.DrawFn, odds: bool) -> str:
    size = array_text(draw, draw(st.lists(integers, min_size=2, max_size=2)))
    counts = draw(
        mask_counts.map(json.dumps)
        | st.lists(integers, max_size=3).map(lambda items: array_text(draw, items))
    )
    polygons = [numbers_text(draw, 0, 7) for _ in range(draw(st.integers(0, 2)))]
    values = {
        "image_id": draw(integers),
        "category_id": draw(integers),
        "score": draw(number_texts()),
        "bbox": numbers_text(draw, 4, 4),
        "keypoints": numbers_text(draw, 0, 6),
        "segmentation": draw(
            st.sampled_from(
                [
                    object_text(draw, [("size", size), ("counts", counts)]),
                    object_text(draw, [("counts", counts), ("x", "1"), ("size", size)]),
                    array_text(draw, polygons),
                ]
            )
        ),
        "id": draw(integers),
        "area": draw(number_texts()),
        "iscrowd": draw(integers | st.sampled_from(["true", "false"])),
        "ignore": draw(integers),
        "num_keypoints": draw(integers),
        "caption": draw(json_texts()),
        "é{": draw(json_texts()),
    }
    names = draw(st.permutations(list(values)))[: draw(st.integers(0, len(values)))]
    pairs = [(name, values[name]) for name in names]
    if odds and pairs:
        place = draw(st.integers(0, len(pairs) - 1))
        pairs[place] = (pairs[place][0], draw(odd))
    return object_text(draw, pairs)


@st.composite
def result_texts(draw: st.DrawFn, odds: bool = False) -> bytes:
    records = draw(st.lists(record_texts(odds), max_size=5))
    return (draw(spaces) + array_text(draw, records) + draw(spaces)).encode()


@st.composite
def annotation_texts(draw: st.DrawFn, odds: bool = False) -> bytes:
    records = draw(st.lists(record_texts(odds), max_size=5))
    pairs = [
        ("annotations", array_text(draw, records)),
        ("images", draw(json_texts())),
        ("categories", draw(json_texts())),
        ("info", draw(json_texts())),
    ]
    kept = draw(st.permutations(pairs))[: draw(st.integers(1, 4))]
    return (draw(spaces) + object_text(draw, kept) + draw(spaces)).encode()


@st.composite
def mutated(draw: st.DrawFn, texts: st.SearchStrategy[bytes]) -> bytes:
    text = bytearray(draw(texts))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text)))
        match draw(st.integers(0, 5)):
            case 0:
                del text[place:]
            case 1:
                del text[place : place + draw(st.integers(1, 4))]
            case 2:
                inserted = draw(
                    st.sampled_from(b'"\\{}[]:,.0-+eEnN \n\x00\x1f\x7f\x80\xc3\xed\xf0')
                )
                text[place:place] = bytes([inserted])
            case 3:
                text[place:place] = text[: draw(st.integers(0, 20))]
            case _:
                text[place : place + 1] = draw(st.sampled_from([b"0", b"7", b".5", b"e1", b" "]))
    return bytes(text)


# --- comparison -------------------------------------------------------------------------------

Scan = Callable[..., dict[str, Any] | None]


def buffer_of(text: bytes) -> np.ndarray:
    buffer = np.full(len(text) + PADDING, ord("7"), np.uint8)
    buffer[: len(text)] = np.frombuffer(text, np.uint8)
    return buffer


def unpacked(found: dict[str, Any], text: bytes) -> dict[str, Any]:
    """The columns as Python values, -0.0 and NaN told apart; what may differ in form as content."""
    plain: dict[str, Any] = {}
    for name, value in found.items():
        if name in ("images", "categories"):
            plain[name] = json.loads(value) if value else None
        elif name not in ("extra", "extra_numbers", "counts"):
            plain[name] = [
                each_text(part) for part in (value if isinstance(value, tuple) else [value])
            ]
    lengths = found.get("extra_numbers")
    if "extra" in found:
        lengths = np.zeros(found["count"], int) if lengths is None else lengths
        stops = np.cumsum(lengths)
        texts = [found["extra"][b - a : b].tobytes() for a, b in zip(lengths, stops)]
        plain["extra"] = [repr(json.loads(each)) if each else None for each in texts]
    counts = found["counts"]
    spans = [] if counts is None else counts[np.flatnonzero(counts[:, 1])].tolist()
    plain["counts"] = [json.loads(b'"%b"' % text[a : a + n]) for a, n in spans]
    return plain


def each_text(values: Any) -> Any:
    if not isinstance(values, np.ndarray):
        return values
    if values.dtype == np.float64:
        values = values.view(np.int64)  # to the bit
    return values.tolist() if values.any() else None


def check(text: bytes, name: str) -> dict[str, Any] | None:
    """What the scanner makes of the text, by any number of threads: as json has it, or nothing."""
    scan: Scan = getattr(extension.coco_json, name)
    buffer = buffer_of(text)
    found = scan(buffer, len(text), 1)
    assert buffer[: len(text)].tobytes() == text
    for threads in (2, 3):
        shared = scan(buffer, len(text), threads, smallest_part=len(text) // 7)
        assert (found is None) == (shared is None)
        if found is not None:
            assert unpacked(shared, text) == unpacked(found, text)
    if found is not None:
        reference = getattr(coco_json_reference, name)(buffer, len(text), 1)
        assert reference is not None, "taken, though json does not have it so"
        found_too = {name: found[name] for name in reference}  # columns of no interest left out
        assert unpacked(found_too, text) == unpacked(reference, text)
    return found


@needs_extension
@quick
@given(result_texts(odds=False) | result_texts(odds=True))
def test_results(text: bytes) -> None:
    check(text, "scan_results")


@needs_extension
@quick
@given(annotation_texts(odds=False) | annotation_texts(odds=True))
def test_annotations(text: bytes) -> None:
    check(text, "scan_annotations")


@needs_extension
@quick
@given(mutated(result_texts()))
def test_mutated_results(text: bytes) -> None:
    check(text, "scan_results")


@needs_extension
@quick
@given(mutated(annotation_texts()))
def test_mutated_annotations(text: bytes) -> None:
    check(text, "scan_annotations")


@needs_extension
@settings(deadline=None, max_examples=5 * settings.default.max_examples)
@given(number_texts())
@example("9007199254740993")  # halfway between two doubles
@example("0.500000000000000166533453693773481063544750213623046875")
@example("1.7976931348623159e308")
@example("2.2250738585072011e-308")
@example("4.9406564584124654e-324")
@example("179769313486231580793728971405301e276")
@example("0." + "0" * 400 + "1")
@example("9" * 400)
def test_numbers_to_the_bit(number: str) -> None:
    text = f'[{{"score":{number}}}]'.encode()
    found = check(text, "scan_results")
    if len(number) < 300:
        assert found is not None
        value = found["score"][0][0]
        assert np.float64(value).tobytes() == np.float64(
            json.loads(number)
        ).tobytes() or math.isnan(value)


@needs_extension
def test_every_number_of_digits_and_exponent() -> None:
    draw = np.random.default_rng(5)
    numbers = []
    for digits in range(1, 21):
        for exponent in range(-30, 31):
            for _ in range(8):
                mantissa = "".join(map(str, draw.integers(1, 10, digits)))
                point = int(draw.integers(0, digits))
                whole, fraction = mantissa[:point] or "0", mantissa[point:]
                numbers.append(f"{whole}.{fraction}e{exponent}")
    text = "[" + ",".join(f'{{"score":{number}}}' for number in numbers) + "]"
    found = check(text.encode(), "scan_results")
    assert found["score"][0].tolist() == [float(number) for number in numbers]


# --- what is taken ----------------------------------------------------------------------------


@pytest.fixture(params=["reference", "c++"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(coco_json, "native", lambda: extension if request.param == "c++" else None)


RESULTS = [
    {
        "image_id": 5,
        "category_id": 2**40,
        "bbox": [1, 2.5, 3, 4],
        "score": 0.25,
        "segmentation": {"size": [3, 4], "counts": "a\\b0"},
    },
    {
        "id": 3,
        "image_id": 6.0,
        "score": math.nan,
        "bbox": [],
        "keypoints": [1, 2, 0.5],
        "area": 4.5,
    },
    {"segmentation": {"counts": [5, 3, 4], "size": [3, 4]}, "note": {"ü": [None, True]}},
    {"segmentation": [[1, 2, 3, 4, 5, 6.5], [0, 0, 1, 1, 2, 2, 3, 3]], "keypoints": None},
    {"segmentation": {"size": [3, 4], "counts": "\\"}},
    {},
]


def test_results_as_columns(implementation: None) -> None:
    text = json.dumps(RESULTS).encode()
    buffer = buffer_of(text)
    found = coco_json.scan_results(buffer, len(text))
    assert found is not None and found.count == 6
    assert found.image_id.values.tolist() == [5, 6, 0, 0, 0, 0]
    assert found.image_id.present.tolist() == [True, True, False, False, False, False]
    assert found.category_id.values[0] == 2**40
    assert found.score.values[0] == 0.25 and math.isnan(found.score.values[1])
    assert found.bbox.values[0].tolist() == [1, 2.5, 3, 4]
    assert found.bbox.present.tolist() == [True] + [False] * 5
    assert found.keypoints.items.tolist() == [1, 2, 0.5]
    assert found.keypoints.lengths.tolist() == [0, 3, 0, 0, 0, 0]
    masks = found.segmentations
    assert masks.shape.tolist() == [COUNTS, NONE, RUNS, POLYGONS, COUNTS, NONE]
    assert masks.size[[0, 2, 3]].tolist() == [[3, 4], [3, 4], [0, 0]]
    assert masks.runs.items.tolist() == [5, 3, 4]
    assert masks.runs.lengths.tolist() == [0, 0, 3, 0, 0, 0]
    assert masks.polygons.items.tolist() == [6, 8]
    assert masks.polygons.lengths.tolist() == [0, 0, 0, 2, 0, 0]
    assert len(masks.points) == 14 and masks.points[5] == 6.5
    stops = np.cumsum(found.extra.lengths)
    extra = [found.extra.items[b - a : b].tobytes() for a, b in zip(found.extra.lengths, stops)]
    assert [json.loads(each) if each else None for each in extra] == [
        None,
        {"id": 3, "area": 4.5},
        {"note": {"ü": [None, True]}},
        None,
        None,
        None,
    ]
    data, offsets = coco_json.gather_counts(buffer, masks)
    assert offsets.tolist() == [0, 4, 4, 4, 4, 5, 5]
    assert data.tobytes() == b"a\\b0\\"
    assert np.shares_memory(data, buffer)


def test_annotations_as_columns(implementation: None) -> None:
    content = {
        "info": {"year": 2017},
        "annotations": [
            {"id": 8, "image_id": 1, "category_id": 0, "iscrowd": 1, "area": 2, "note": "x"},
            {"id": 9, "image_id": 1, "iscrowd": True, "ignore": 0, "num_keypoints": 3},
        ],
        "images": [{"id": 1, "file_name": "ä"}],
    }
    text = json.dumps(content).encode()
    found = coco_json.scan_annotations(buffer_of(text), len(text))
    assert found is not None and found.count == 2
    assert found.id.values.tolist() == [8, 9]
    assert found.area.values.tolist() == [2, 0]
    assert found.area.present.tolist() == [True, False]
    assert found.iscrowd.values.tolist() == [1, 1]
    assert found.ignore.present.tolist() == [False, True]
    assert found.num_keypoints.values.tolist() == [0, 3]
    assert json.loads(found.images) == content["images"]
    assert found.categories == b""


def test_nothing_in_it(implementation: None) -> None:
    found = coco_json.scan_results(buffer_of(b" [ ] "), 5)
    assert found is not None and found.count == 0
    assert found.bbox.values.shape == (0, 4)
    data, offsets = coco_json.gather_counts(buffer_of(b""), found.segmentations)
    assert len(data) == 0 and offsets.tolist() == [0]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b'[{"score": 1}',
        b'[{"score": 1}] x',
        b'[{"score": 1},]',
        b'[{"score": 01}]',
        b'[{"score": "1"}]',
        b'[{"score": true}]',
        b'[{"image_id": 1.5}]',
        b'[{"image_id": 9223372036854775808}]',
        b'[{"bbox": [1, 2, 3]}]',
        b'[{"bbox": [1, 2, 3, NaN]}]',
        b'[{"bbox": [1, 2, 3, 1e999]}]',
        b'[{"segmentation": {"size": [1, 2]}}]',
        b'[{"segmentation": {"size": [1, 2], "counts": "\xc3\xa9"}}]',
        b'[{"segmentation": [1, 2, 3]}]',
        b'[{"keypoints": [1, null]}]',
        b'[{"caption": "\x01"}]',
        b'[{"caption": "\xff"}]',
        b'[{"caption": "\\x"}]',
        b"[1]",
    ],
)
def test_not_taken(implementation: None, text: bytes) -> None:
    assert coco_json.scan_results(buffer_of(text), len(text)) is None


@needs_extension
def test_escaped_names_are_left_to_json() -> None:
    """ "\\u0069d" is "id", and of names that come twice json keeps the last value."""
    for text in (b'[{"\\u0069mage_id": 1}]', b'[{"score": 1, "score": 2}]', b'[{"x": 1, "x": 2}]'):
        assert extension.coco_json.scan_results(buffer_of(text), len(text), 1) is None


@needs_extension
def test_cuts_within_strings_and_nested_objects() -> None:
    """What looks like the begin of a record is none, in every place that a cut may fall on."""
    nested = {"image_id": 1, "score": 0.5, "note": "}, {}, {", "parts": [{}, {"score": 2}, {}, {}]}
    text = json.dumps([nested] * 40).encode()
    for part in range(1, 400, 7):
        found = extension.coco_json.scan_results(buffer_of(text), len(text), 8, smallest_part=part)
        assert found["count"] == 40
        assert found["score"][0].tolist() == [0.5] * 40


@needs_extension
def test_deep_nesting_is_left_to_json() -> None:
    for depth, taken in ((50, True), (500, False), (10**6, False)):
        text = b'[{"x":' + b"[" * depth + b"]" * depth + b"}]"
        found = extension.coco_json.scan_results(buffer_of(text), len(text), 1)
        assert (found is not None) == taken


@needs_extension
def test_buffers_that_are_too_short() -> None:
    scan = extension.coco_json.scan_results
    with pytest.raises(ValueError, match="too short"):
        scan(np.zeros(PADDING, np.uint8), 1, 1)
    with pytest.raises(ValueError, match="too short"):
        scan(np.zeros(PADDING, np.uint8), -1, 1)
    with pytest.raises(ValueError, match="span 0"):
        extension.coco_json.gather(np.zeros(4, np.uint8), np.array([[2, 3]]))
    with pytest.raises(ValueError, match="span 1"):
        extension.coco_json.gather(np.zeros(4, np.uint8), np.array([[1, 2], [2, 1]]))
    assert extension.coco_json.PADDING == PADDING

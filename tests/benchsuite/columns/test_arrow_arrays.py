from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from benchsuite.columns import arrow_arrays
from benchsuite.columns.arrow_arrays import (
    binary_from_numpy,
    binary_to_numpy,
    from_numpy,
    from_rows,
    from_values,
    is_present,
    lists_from_numpy,
    lists_to_numpy,
    nulls,
    to_numpy,
)
from benchsuite.schemas import PREDICTION_INSTANCES, RUNS, TRUTH_IMAGES, TRUTH_INSTANCES

dtypes = st.sampled_from(
    [np.int64, np.int32, np.uint8, np.uint16, np.float64, np.float32, np.bool_]
)
shapes = st.one_of(st.tuples(st.integers(0, 9)), st.tuples(st.integers(0, 9), st.integers(1, 4)))


@st.composite
def columns(draw: st.DrawFn) -> tuple[Any, Any]:
    """Values, and where they are present (or ``None``)."""
    values = draw(arrays.arrays(draw(dtypes), draw(shapes), elements={"allow_nan": False}))
    present = draw(st.none() | arrays.arrays(np.bool_, len(values)))
    return values, present


@given(case=columns(), start=st.integers(0, 9))
def test_there_and_back(case: tuple[Any, Any], start: int) -> None:
    values, present = case
    column = from_numpy(values, present)
    column.validate(full=True)
    found = np.ones(len(values), bool) if present is None else present
    expected = [row if there else None for row, there in zip(values.tolist(), found)]
    assert column.to_pylist() == expected
    for part, first in ((column, 0), (column.slice(start), start)):
        back = to_numpy(part)
        assert back.dtype == values.dtype and back.shape == values[first:].shape
        assert is_present(part).tolist() == found[first:].tolist()
        assert back[found[first:]].tolist() == values[first:][found[first:]].tolist()
        assert not back[~found[first:]].any()
    chunked = pa.chunked_array([column.slice(start), column.slice(0, start)], column.type)
    assert to_numpy(chunked).tolist() == [
        *to_numpy(column)[start:].tolist(),
        *to_numpy(column)[:start].tolist(),
    ]


def test_no_chunks() -> None:
    assert to_numpy(pa.chunked_array([], pa.int32())).dtype == np.int32
    assert to_numpy(pa.chunked_array([], pa.list_(pa.float64(), 4))).shape == (0, 4)
    data, offsets = binary_to_numpy(pa.chunked_array([], pa.binary()))
    assert len(data) == 0 and offsets.tolist() == [0]
    values, offsets = lists_to_numpy(pa.chunked_array([], pa.list_(pa.int32())))
    assert len(values) == 0 and offsets.tolist() == [0]


def test_memory_is_shared() -> None:
    values = np.arange(4.0)
    assert np.shares_memory(to_numpy(from_numpy(values)), values)


def test_missing_numbers() -> None:
    column = from_numpy(np.arange(3.0), np.array([True, False, True]))
    assert to_numpy(column, missing=-1).tolist() == [0, -1, 2]


def test_other_memory_orders() -> None:
    assert from_numpy(np.arange(6)[::2]).to_pylist() == [0, 2, 4]
    assert from_numpy(np.arange(6).reshape(3, 2).T).to_pylist() == [[0, 2, 4], [1, 3, 5]]
    assert from_numpy(np.arange(3, dtype=">i4")).to_pylist() == [0, 1, 2]


@given(
    rows=st.lists(st.none() | st.lists(st.integers(0, 99), max_size=3), max_size=6),
    start=st.integers(0, 6),
)
def test_lists(rows: list[list[int] | None], start: int) -> None:
    flat = np.array([item for row in rows for item in row or ()], np.int32)
    offsets = np.cumsum([0, *(len(row or ()) for row in rows)])
    column = lists_from_numpy(flat, offsets, np.array([row is not None for row in rows], bool))
    column.validate(full=True)
    assert column.to_pylist() == rows
    for of in (pa.list_(pa.int32()), pa.large_list(pa.int32())):
        part = pa.array(rows, of).slice(start)
        for each in (part, pa.chunked_array([part, part])):
            values, ends = lists_to_numpy(each)
            again = [values[a:b].tolist() for a, b in pairwise(ends)]
            assert again == [row or [] for row in each.to_pylist()]


def test_lists_of_fixed_size() -> None:
    values, offsets = lists_to_numpy(pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int32(), 2)))
    assert values.tolist() == [1, 2, 3, 4]
    assert offsets.tolist() == [0, 2, 2, 4]


@given(rows=st.lists(st.none() | st.binary(max_size=3), max_size=6), start=st.integers(0, 6))
def test_binary(rows: list[bytes | None], start: int) -> None:
    data = np.frombuffer(b"x" + b"".join(row or b"" for row in rows), np.uint8)
    offsets = np.cumsum([1, *(len(row or b"") for row in rows)])
    column = binary_from_numpy(data, offsets, np.array([row is not None for row in rows], bool))
    column.validate(full=True)
    assert column.to_pylist() == rows
    for of in (pa.binary(), pa.large_binary()):
        part = pa.array(rows, of).slice(start)
        for each in (part, pa.chunked_array([part, part])):
            found, ends = binary_to_numpy(each)
            again = [found[a:b].tobytes() for a, b in pairwise(ends)]
            assert again == [row or b"" for row in each.to_pylist()]


def test_bytes_that_a_null_hides_are_left_out() -> None:
    column = binary_from_numpy(
        np.frombuffer(b"abc", np.uint8), np.array([0, 1, 2, 3]), np.array([True, False, True])
    )
    data, offsets = binary_to_numpy(column)
    assert data.tobytes() == b"ac" and offsets.tolist() == [0, 1, 1, 2]


def test_byte_strings_beyond_32_bits_become_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_arrays, "_LARGEST", 5)
    rows = [b"abc", b"de", b"", b"fghij", b"k"]
    data = np.frombuffer(b"".join(rows), np.uint8)
    column = binary_from_numpy(data, np.cumsum([0, *map(len, rows)]))
    assert isinstance(column, pa.ChunkedArray) and column.num_chunks == 3
    assert column.to_pylist() == rows
    with pytest.raises(OverflowError):
        binary_from_numpy(data, np.array([0, 6]))


@pytest.mark.parametrize(
    ("values", "of"),
    [
        ([], pa.int64()),
        ([1, None, -(2**63)], pa.int64()),
        ([1.5, None], pa.float64()),
        ([True, None, False], pa.bool_()),
        (["ä", None, ""], pa.string()),
        ([b"\xff", None], pa.binary()),
        ([datetime(2024, 5, 1, 12, 0, 0, 7, tzinfo=UTC), None], pa.timestamp("us", tz="UTC")),
        ([["a"], None, [], [None]], pa.list_(pa.string())),
        ([[1, 2], None], pa.list_(pa.int32(), 2)),
        (
            [{"size": [1, 2], "counts": b"x"}, None, {"size": None}],
            pa.struct([("size", pa.list_(pa.int32(), 2)), ("counts", pa.binary())]),
        ),
    ],
)
def test_python_values(values: list[Any], of: pa.DataType) -> None:
    column = from_values(values, of)
    column.validate(full=True)
    assert column.equals(pa.array(values, of))
    assert column.to_pylist() == pa.array(values, of).to_pylist()


def test_rows() -> None:
    schema = pa.schema([("a", pa.int64()), ("b", pa.string())])
    assert from_rows([{"a": 1}, {"b": "x", "c": 2}], schema).to_pylist() == [
        {"a": 1, "b": None},
        {"a": None, "b": "x"},
    ]


@pytest.mark.parametrize("rows", [0, 1, 1000])
@pytest.mark.parametrize("schema", [PREDICTION_INSTANCES, TRUTH_IMAGES, TRUTH_INSTANCES, RUNS])
def test_nothing(schema: pa.Schema, rows: int) -> None:
    for field in schema:
        column = nulls(field.type, rows)
        column.validate(full=True)
        assert column.null_count == rows
        assert column.equals(pa.nulls(rows, field.type))
        assert column.slice(rows // 2).to_pylist() == [None] * (rows - rows // 2)


def test_types_that_are_not_taken() -> None:
    with pytest.raises(TypeError, match="string"):
        to_numpy(pa.array(["a"]))
    with pytest.raises(TypeError, match="int64"):
        binary_to_numpy(pa.array([1]))
    with pytest.raises(TypeError, match="date32"):
        from_values([], pa.date32())
    with pytest.raises(ValueError, match="one or two axes"):
        from_numpy(np.zeros((1, 1, 1)))
    with pytest.raises(ValueError, match="2 items"):
        from_values([[1]], pa.list_(pa.int32(), 2))


def test_pandas_is_not_imported() -> None:
    program = """
import sys
from datetime import UTC, datetime
import numpy as np
import pyarrow as pa
from benchsuite.columns.arrow_arrays import *
from benchsuite.schemas import PREDICTION_INSTANCES, RUNS
column = from_numpy(np.arange(3), np.array([True, False, True]))
to_numpy(column), is_present(column)
boxes = from_numpy(np.zeros((3, 4)))
to_numpy(pa.chunked_array([boxes, boxes]))
lists_to_numpy(lists_from_numpy(np.zeros(3), np.array([0, 1, 3])))
binary_to_numpy(binary_from_numpy(np.zeros(3, np.uint8), np.array([0, 1, 3])))
from_values([datetime.now(UTC)], pa.timestamp("us", tz="UTC"))
from_values(["x"], pa.string())
empty_table(PREDICTION_INSTANCES), empty_table(RUNS)
from_rows([{"prediction": 1}], PREDICTION_INSTANCES)
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)

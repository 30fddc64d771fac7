"""NumPy arrays and plain Python values to Arrow arrays and back, without pandas.

``pa.array``, ``pa.scalar``, ``Array.to_numpy``, ``Schema.empty_table`` and ``Table.from_pylist``
import pandas wherever it is installed, to know its types when they meet them: 0.2 to 0.3 s, more
than the whole evaluation of a data set. So do functions of ``pyarrow.compute`` that are given a
Python number or a scalar, ``fill_null``, ``take`` by a NumPy array, ``pq.read_table`` and
``pyarrow.dataset``. ``cast``, ``take``, ``filter``, ``is_valid``, ``drop_null`` and ``sort_by``
import ``pyarrow.compute``, which takes 40 ms. What is made here is made of buffers and needs
neither; nor do ``from_buffers`` and ``from_arrays`` of every kind, ``slice``,
``select``, ``set_column``, ``combine_chunks``, ``concat_tables``, ``to_pylist`` (but of times) and
Parquet through ``ParquetFile``.

Arrays share their memory where they can: what was given to a function here must not be written to
afterwards, and what comes back from ``to_numpy`` must not be written to at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Column: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"
"""What tables are made of; every function here that takes one takes the other."""

_LARGEST = np.iinfo(np.int32).max
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


# --- to Arrow ---------------------------------------------------------------------------------


def from_numpy(values: NDArray[Any], present: NDArray[np.bool_] | None = None) -> pa.Array[Any]:
    """Numbers or booleans: of (N,) a plain array, of (N, K) one of fixed-size lists.

    Args:
        values: of any integer, float or bool dtype.
        present: (N,), false where the result shall be null; ``None``: nowhere.
    """
    if values.ndim == 2:
        length = values.shape[1]
        items = from_numpy(values.reshape(-1))
        of = pa.list_(items.type, length)
        return pa.Array.from_buffers(of, len(values), [_bits(present)], children=[items])
    if values.ndim != 1:
        raise ValueError(f"an Arrow array has one or two axes, not {values.shape}")
    if values.dtype == np.bool_:
        return pa.Array.from_buffers(pa.bool_(), len(values), [_bits(present), _bits(values)])
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    of = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(of, len(values), [_bits(present), pa.py_buffer(values)])


def lists_from_numpy(
    values: NDArray[Any],
    offsets: NDArray[np.integer[Any]],
    present: NDArray[np.bool_] | None = None,
) -> pa.Array[Any]:
    """Lists: row ``i`` is ``values[offsets[i] : offsets[i + 1]]``.

    Args:
        values: (V,) or (V, K), as for ``from_numpy``.
        offsets: (N + 1,), ascending from 0 to V.
        present: (N,), false where the list shall be null.

    Raises:
        OverflowError: there are more than 2^31 - 1 values.
    """
    return lists_of(from_numpy(values), offsets, present)


def lists_of(
    items: pa.Array[Any],
    offsets: NDArray[np.integer[Any]],
    present: NDArray[np.bool_] | None = None,
) -> pa.Array[Any]:
    """Lists of what an array holds: row ``i`` is ``items[offsets[i] : offsets[i + 1]]``.

    Args:
        offsets, present: as for ``lists_from_numpy``.

    Raises:
        OverflowError: there are more than 2^31 - 1 items.
    """
    of, places = pa.list_(items.type), _places(offsets)
    return pa.Array.from_buffers(of, len(offsets) - 1, [_bits(present), places], children=[items])


def binary_from_numpy(
    data: NDArray[np.uint8],
    offsets: NDArray[np.integer[Any]],
    present: NDArray[np.bool_] | None = None,
) -> Column:
    """Byte strings: row ``i`` is ``data[offsets[i] : offsets[i + 1]]``.

    Args:
        data: (B,).
        offsets: (N + 1,), ascending.
        present: (N,), false where the string shall be null.

    Returns:
        An array of type ``binary``; a chunked one where ``data`` is more than 2^31 - 1 bytes.

    Raises:
        OverflowError: one string alone is longer than that.
    """
    chunks: list[pa.Array[Any]] = []
    start, rows = 0, len(offsets) - 1
    while start < rows or not chunks:
        stop = int(np.searchsorted(offsets, int(offsets[start]) + _LARGEST, side="right")) - 1
        if stop == start and rows:
            raise OverflowError("a byte string longer than 2^31 - 1 bytes fits no column")
        part = data[int(offsets[start]) : int(offsets[stop])]
        bits = _bits(None if present is None else present[start:stop])
        buffers = [
            bits,
            _places(offsets[start : stop + 1] - offsets[start]),
            pa.py_buffer(np.ascontiguousarray(part)),
        ]
        chunks.append(pa.Array.from_buffers(pa.binary(), stop - start, buffers))
        start = stop
    return chunks[0] if len(chunks) == 1 else pa.chunked_array(chunks)


def from_values(values: Sequence[Any], of: pa.DataType) -> pa.Array[Any]:
    """Python values, ``None`` for null.

    Args:
        values: what ``to_pylist`` gives of such an array.
        of: numbers, booleans, strings, bytes, UTC times in microseconds, or lists, fixed-size
            lists and structs of them.

    Raises:
        TypeError: a type beyond these.
    """
    present = np.array([value is not None for value in values], np.bool_)
    found = [value for value in values if value is not None]
    bits = _bits(None if present.all() else present)
    if pa.types.is_list(of) or pa.types.is_fixed_size_list(of):
        return _list_values(values, of, bits)
    if pa.types.is_struct(of):
        children = [
            from_values(
                [None if row is None else row.get(field.name) for row in values], field.type
            )
            for field in of
        ]
        return pa.Array.from_buffers(of, len(values), [bits], children=children)
    if pa.types.is_string(of) or pa.types.is_binary(of):
        if pa.types.is_string(of):
            found = list(map(str.encode, found))
        lengths = np.zeros(len(values), np.int64)
        lengths[present] = list(map(len, found))
        data = pa.py_buffer(b"".join(found))
        return pa.Array.from_buffers(of, len(values), [bits, _places(_offsets(lengths)), data])
    if of == pa.timestamp("us", tz="UTC"):
        found = [(value - _EPOCH) // _MICROSECOND for value in found]
        plain = np.dtype(np.int64)
    elif pa.types.is_integer(of) or pa.types.is_floating(of) or pa.types.is_boolean(of):
        plain = np.dtype(of.to_pandas_dtype())
    else:
        raise TypeError(f"no column of {of} is made of Python values here")
    numbers = np.zeros(len(values), plain)
    numbers[present] = found
    data = _bits(numbers) if plain == np.bool_ else pa.py_buffer(numbers)
    return pa.Array.from_buffers(of, len(values), [bits, data])


def _widest(of: pa.DataType, rows: int) -> int:
    """Bytes of the largest buffer of a column."""
    if pa.types.is_fixed_size_list(of):
        return _widest(of.value_type, rows * of.list_size)
    if pa.types.is_struct(of):
        return max((_widest(field.type, rows) for field in of), default=rows)
    return 8 * (rows + 1)


def _nulls(of: pa.DataType, rows: int, zeros: pa.Buffer) -> pa.Array[Any]:
    children: list[pa.Array[Any]] = []
    buffers = [zeros]
    if pa.types.is_fixed_size_list(of):
        children = [_nulls(of.value_type, rows * of.list_size, zeros)]
    elif pa.types.is_struct(of):
        children = [_nulls(field.type, rows, zeros) for field in of]
    elif pa.types.is_list(of):
        buffers, children = [zeros, zeros], [_nulls(of.value_type, 0, zeros)]
    else:
        buffers = [zeros] * of.num_buffers
    return pa.Array.from_buffers(of, rows, buffers, null_count=rows, children=children or None)


def _list_values(values: Sequence[Any], of: pa.DataType, bits: pa.Buffer | None) -> pa.Array[Any]:
    if pa.types.is_fixed_size_list(of):
        empty = [None] * of.list_size
        flat = [item for value in values for item in (empty if value is None else value)]
        if len(flat) != of.list_size * len(values):
            raise ValueError(f"a list is not of {of.list_size} items, as {of} has it")
        items = from_values(flat, of.value_type)
        return pa.Array.from_buffers(of, len(values), [bits], children=[items])
    lengths = np.array([0 if value is None else len(value) for value in values], np.int64)
    flat = [item for value in values if value is not None for item in value]
    items = from_values(flat, of.value_type)
    buffers = [bits, _places(_offsets(lengths))]
    return pa.Array.from_buffers(of, len(values), buffers, children=[items])


def from_rows(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """A table of a few rows, each a mapping of column names to values; one not named is null."""
    rows = list(rows)
    columns = [from_values([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def nulls(of: pa.DataType, rows: int) -> pa.Array[Any]:
    """A column of nothing. It takes no memory until it is read: all its buffers are zeros."""
    return _nulls(of, rows, pa.py_buffer(np.zeros(_widest(of, max(rows, 1)) + 8, np.uint8)))


def empty_table(schema: pa.Schema) -> pa.Table:
    """No rows."""
    return pa.Table.from_arrays([nulls(field.type, 0) for field in schema], schema=schema)


# --- back to NumPy ----------------------------------------------------------------------------


def to_numpy(column: Column, missing: float = 0) -> NDArray[Any]:
    """Numbers or booleans as (N,), fixed-size lists of them as (N, K).

    Args:
        column: integers, floats, booleans, or fixed-size lists of them.
        missing: what null becomes.

    Raises:
        TypeError: the column is of another type.
    """
    arrays = [_whole(chunk, missing) for chunk in _chunks(column)]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def is_present(column: Column) -> NDArray[np.bool_]:
    """(N,), false where the column is null."""
    if not column.null_count:
        return np.ones(len(column), np.bool_)
    return np.concatenate([_present(chunk) for chunk in _chunks(column)])


def as_type(column: Column, of: pa.DataType) -> Column:
    """The column as one of this type."""
    return column if column.type == of else column.cast(of)


def lists_to_numpy(column: Column, missing: float = 0) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Lists as one array: row ``i`` is ``values[offsets[i] : offsets[i + 1]]``; null has none.

    Args:
        column: lists (of 32 or 64 bits, or of fixed size) of what ``to_numpy`` takes.
        missing: what a null within a list becomes.

    Returns:
        Values and (N + 1,) offsets, from 0 on.
    """
    lengths, parts = [], []
    for chunk in _chunks(column):
        if pa.types.is_fixed_size_list(chunk.type):
            rows = to_numpy(chunk, missing)
            found = is_present(chunk)
            lengths.append(np.where(found, rows.shape[1], 0))
            parts.append((rows[found] if chunk.null_count else rows).reshape(-1))
        else:
            found, ends = is_present(chunk), to_numpy(chunk.offsets)
            inner = to_numpy(chunk.values[int(ends[0]) : int(ends[-1])], missing)
            of_chunk = np.diff(ends)
            if of_chunk[~found].any():  # a null may hide values
                inner = inner[np.repeat(found, of_chunk)]
            lengths.append(np.where(found, of_chunk, 0))
            parts.append(inner)
    values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return values, _offsets(np.concatenate(lengths))


def binary_to_numpy(column: Column) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Byte strings (or strings, as UTF-8) as one buffer and (N + 1,) offsets, from 0 on.

    Row ``i`` is ``data[offsets[i] : offsets[i + 1]]``; null is empty.
    """
    lengths, parts = [], []
    for chunk in _chunks(column):
        large = pa.types.is_large_binary(chunk.type) or pa.types.is_large_string(chunk.type)
        if not large and not (pa.types.is_binary(chunk.type) or pa.types.is_string(chunk.type)):
            raise TypeError(f"a column of {chunk.type} holds no byte strings")
        found = is_present(chunk)
        _, places, data = chunk.buffers()
        dtype = np.dtype(np.int64 if large else np.int32)
        ends = _view(places, dtype, chunk.offset, len(chunk) + 1).astype(np.int64)
        first, last = (int(ends[0]), int(ends[-1])) if len(chunk) else (0, 0)
        letters = _view(data, np.dtype(np.uint8), first, last - first)
        of_chunk = np.diff(ends)
        if of_chunk[~found].any():  # a null may hide bytes
            letters = letters[np.repeat(found, of_chunk)]
        lengths.append(np.where(found, of_chunk, 0))
        parts.append(letters)
    return parts[0] if len(parts) == 1 else np.concatenate(parts), _offsets(np.concatenate(lengths))


# --- buffers ----------------------------------------------------------------------------------


def _chunks(column: Column) -> list[pa.Array[Any]]:
    """At least one array."""
    if isinstance(column, pa.ChunkedArray):
        return column.chunks or [pa.nulls(0, column.type)]
    return [column]


def _whole(array: pa.Array[Any], missing: float) -> NDArray[Any]:
    if pa.types.is_fixed_size_list(array.type):
        length = array.type.list_size
        rows = _whole(array.values.slice(array.offset * length, len(array) * length), missing)
        rows = rows.reshape(len(array), length)
        return _filled(rows, array, missing)
    if pa.types.is_boolean(array.type):
        bits = _unpacked(array.buffers()[1], array.offset, len(array))
        return _filled(bits, array, missing)
    if not pa.types.is_integer(array.type) and not pa.types.is_floating(array.type):
        raise TypeError(f"a column of {array.type} is no column of numbers")
    dtype = np.dtype(array.type.to_pandas_dtype())
    return _filled(_view(array.buffers()[1], dtype, array.offset, len(array)), array, missing)


def _filled(values: NDArray[Any], array: pa.Array[Any], missing: float) -> NDArray[Any]:
    if not array.null_count:
        return values
    values = values.copy()
    values[~is_present(array)] = missing
    return values


def _present(array: pa.Array[Any]) -> NDArray[np.bool_]:
    if array.null_count in (0, len(array)):
        return np.full(len(array), not array.null_count, np.bool_)
    return _unpacked(array.buffers()[0], array.offset, len(array))


def _unpacked(bits: pa.Buffer | None, start: int, count: int) -> NDArray[np.bool_]:
    """``count`` bits of a buffer, from bit ``start`` on."""
    packed = _view(bits, np.dtype(np.uint8), 0, (start + count + 7) // 8)
    return np.unpackbits(packed, count=start + count, bitorder="little")[start:].view(np.bool_)


def _view(buffer: pa.Buffer | None, dtype: np.dtype[Any], start: int, count: int) -> NDArray[Any]:
    """``count`` items of a buffer, from item ``start`` on."""
    if buffer is None or not count:
        return np.zeros(count, dtype)
    return np.frombuffer(buffer, dtype, count, start * dtype.itemsize)


def _bits(flags: NDArray[Any] | None) -> pa.Buffer | None:
    return None if flags is None else pa.py_buffer(np.packbits(flags, bitorder="little"))


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _places(offsets: NDArray[np.integer[Any]]) -> pa.Buffer:
    if offsets[-1] > _LARGEST:
        raise OverflowError(f"{offsets[-1]} values do not fit the 32-bit offsets of a list column")
    return pa.py_buffer(np.ascontiguousarray(offsets, np.int32))

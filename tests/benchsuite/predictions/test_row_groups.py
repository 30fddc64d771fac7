from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.predictions.row_groups import RowGroupWriter, row_bytes
from benchsuite.schemas import PREDICTION_IMAGES

SCHEMA = pa.schema([("number", pa.int64()), ("png", pa.binary())])


def table(sizes: list[int | None]) -> pa.Table:
    png = [None if size is None else b"x" * size for size in sizes]
    return pa.table({"number": list(range(len(sizes))), "png": png}, schema=SCHEMA)


def write(path: Path, data: pa.Table, cuts: list[int], budget: int) -> bytes:
    with RowGroupWriter(path, SCHEMA, group_bytes=budget) as writer:
        for start, stop in zip([0, *cuts], [*cuts, data.num_rows]):
            writer.write(data.slice(start, stop - start))
    return path.read_bytes()


def test_groups_are_closed_before_they_grow_over_the_budget(tmp_path: Path) -> None:
    data = table([88, 88, 388, 1000, 0, None, 88])
    assert row_bytes(data).tolist() == [100, 100, 400, 1012, 12, 12, 100]
    write(tmp_path / "t", data, [], budget=200)
    file = pq.ParquetFile(tmp_path / "t")
    rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert rows == [2, 1, 1, 3]
    assert file.read().equals(data)


def test_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "t", table([]), [], budget=200)
    read = pq.read_table(tmp_path / "t")
    assert read.schema.equals(SCHEMA)
    assert read.num_rows == 0


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.one_of(st.none(), st.integers(0, 300)), max_size=40),
    budget=st.integers(1, 1000),
    data=st.data(),
)
def test_the_file_does_not_depend_on_the_portions(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int | None], budget: int, data
) -> None:
    folder = tmp_path_factory.mktemp("groups")
    rows = table(sizes)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sizes)), max_size=5)))
    whole = write(folder / "whole", rows, [], budget)
    assert write(folder / "portions", rows, cuts, budget) == whole
    assert pq.read_table(folder / "portions").equals(rows)
    metadata = pq.ParquetFile(folder / "whole").metadata
    cost, start = row_bytes(rows), 0
    for group in range(metadata.num_row_groups):
        stop = start + metadata.row_group(group).num_rows
        assert stop - start == 1 or cost[start:stop].sum() <= budget
        if stop < len(sizes):
            assert cost[start : stop + 1].sum() > budget
        start = stop


def test_nested_columns_are_counted() -> None:
    row = {"image_id": 1, "file_name": "abcd", "width": 1, "height": 1, "n_instances": 0}
    segment = {"id": 1, "category_id": 1, "isthing": True, "iscrowd": False, "area": 1}
    rows = [
        row,
        row | {"semantic_png": b"12345"},
        row | {"segments": []},
        row | {"segments": [segment, segment]},
    ]
    size = row_bytes(pa.Table.from_pylist(rows, schema=PREDICTION_IMAGES))
    assert (size - size[0]).tolist() == [0, 5, 0, 2 * 6 * 8]
    assert size.dtype == np.int64

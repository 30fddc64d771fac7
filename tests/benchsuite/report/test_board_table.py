"""One table in four formats."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite.report.board_table import (
    board_columns,
    board_rows,
    defused,
    markdown_text,
    to_csv,
    to_markdown,
    to_parquet,
)
from benchsuite.report.boards import make_boards
from benchsuite.report.site import write_site

Tables = dict[str, pa.Table]


@pytest.fixture(scope="module")
def site(believable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    write_site(believable, out)
    return out


def markdown_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    plain = [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in cells]
    return [plain[0], *plain[2:]]


def test_page_markdown_csv_and_parquet_agree(site: Path, read_page: Callable[..., Any]) -> None:
    stem = site / "bbox" / "coco-val2017"
    page = read_page(stem.with_suffix(".html").read_text(encoding="utf-8"))
    ranked, apart = page.tables[0], page.tables[1]
    table = pq.read_table(stem.with_suffix(".parquet"))
    with stem.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        in_csv = list(csv.DictReader(file))
    in_markdown = markdown_rows(stem.with_suffix(".md").read_text(encoding="utf-8"))
    shown = len(ranked) - 1 + len(apart) - 1
    assert table.num_rows == len(in_csv) == len(in_markdown) - 1 == shown == 12
    assert table.column_names == list(in_csv[0])
    assert table["rank"].to_pylist() == [*range(1, 12), None]
    for row, from_csv, from_markdown, line in zip(
        table.to_pylist(), in_csv, in_markdown[1:], ranked[1:]
    ):
        for (key, value), written in zip(row.items(), from_markdown):
            if isinstance(value, int | float):
                assert float(from_csv[key]) == value, "full precision"
            elif value is None:
                assert from_csv[key] == ""
            elif isinstance(value, str):
                assert from_csv[key] == value
            assert written
        on_page = {cell.split("\0")[0] for cell, _ in line}
        assert set(from_markdown) <= on_page | {row["name"]}
        exact = {attributes.get("data-sort") for _, attributes in line}
        assert repr(row["bbox/AP"]) in exact
        assert repr(row["latency_p50_ms"]) in exact | {"None"}


def test_nothing_is_a_dash_to_people_and_empty_to_programs(
    run_tables: Callable[..., Tables],
) -> None:
    run = run_tables(tasks={"bbox": -1.0}, latency_ms=None, parameters=None, model_licence=None)
    (board,) = make_boards(run["runs"].to_pylist(), run["metrics"], {})
    columns, rows = board_columns(board), board_rows(board)
    nothing = {
        "rank",
        "bbox/AP",
        "bbox/APs",
        "published",
        "difference",
        "latency_p50_ms",
        "licence",
    }
    (in_csv,) = csv.DictReader(io.StringIO(to_csv(columns, rows), newline=""))
    (in_markdown,) = markdown_rows(to_markdown(columns, rows, "t"))[1:]
    (in_parquet,) = pq.read_table(pa.BufferReader(to_parquet(columns, rows))).to_pylist()
    for column, written in zip(columns, in_markdown):
        if column.key in nothing:
            assert written == "–"
            assert in_csv[column.key] == ""
            assert in_parquet[column.key] is None
    assert "-1" not in in_markdown
    assert "nan" not in to_csv(columns, rows).lower()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1", "\r=1"])
def test_a_text_is_no_formula(text: str) -> None:
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "mask_rcnn", "a=b", "1-2", "'quoted'"])
def test_other_texts_stay(text: str) -> None:
    assert defused(text) == text


def test_formulas_are_defused_in_every_text_and_numbers_are_not(
    run_tables: Callable[..., Tables],
) -> None:
    run = run_tables(
        "=model",
        recipe="+recipe",
        weights_name="@weights",
        model_licence="-licence",
        device_name="=device",
        device="cuda",
        tasks={"bbox": 0.40},
        published={"bbox/AP": 0.41},
    )
    (board,) = make_boards(run["runs"].to_pylist(), run["metrics"], {})
    text = to_csv(board_columns(board), board_rows(board))
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    for key in ("name", "model", "recipe", "weights", "licence", "device"):
        assert row[key].startswith("'"), key
    assert float(row["difference"]) == pytest.approx(-0.01)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("a_b*c", r"a\_b\*c"),
        ("two\nlines", "two lines"),
        ("<script>", r"&lt;script\>"),
        ("[x](javascript:1)", r"\[x\](javascript:1)"),
        ("back\\slash", "back\\\\slash"),
        ("&amp;", "&amp;amp;"),
    ],
)
def test_markdown_is_escaped(text: str, escaped: str) -> None:
    assert markdown_text(text) == escaped


def test_columns_have_names_of_their_own(run_tables: Callable[..., Tables]) -> None:
    run = run_tables(tasks={"keypoints": 0.4})
    (board,) = make_boards(run["runs"].to_pylist(), run["metrics"], {})
    keys = [column.key for column in board_columns(board)]
    assert len(set(keys)) == len(keys)
    assert set(board_rows(board)[0]) == set(keys)
    front = [c.header for c in board_columns(board) if c.kind == "value" and not c.minor]
    assert front == ["AP", "AP", "AP50", "AP75", "APm", "APl"]

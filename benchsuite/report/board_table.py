"""The table of a leaderboard: one list of columns for the page and for every download.

A cell holds the number at full precision (values unscaled, 0 to 1), or ``None``; each format writes
it in its own way, so that the formats cannot disagree.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchsuite.execution import execution_title
from benchsuite.report import notation
from benchsuite.report.boards import Board, Entry, verification
from benchsuite.report.naming import device_title, run_name, variants

Row = Mapping[str, Any]

_ARROW: dict[str, pa.DataType] = {
    "text": pa.string(),
    "value": pa.float64(),
    "difference": pa.float64(),
    "milliseconds": pa.float64(),
    "rate": pa.float64(),
    "count": pa.int64(),
    "millions": pa.int64(),
    "date": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        key: its name in CSV and Parquet.
        header: its heading on the page and in Markdown.
        kind: a key of ``_ARROW``: how a cell is written.
        scale: 100 where values are written as points.
        over: what stands above the heading: whose number it is, or its unit.
        minor: shown on the page only on request; always in the downloads.
    """

    key: str
    header: str
    kind: str
    scale: int = 1
    over: str = ""
    minor: bool = False

    @property
    def numeric(self) -> bool:
        return self.kind != "text"

    def written(self, cell: Any) -> str:
        """A cell as a person reads it."""
        if self.kind == "text":
            return notation.text(cell)
        if self.kind == "date":
            return notation.date(cell)
        if self.kind == "value":
            return notation.value(cell, self.scale)
        if self.kind == "difference":
            return notation.difference(cell, self.scale)
        if self.kind == "milliseconds":
            return notation.milliseconds(cell)
        if self.kind == "rate":
            return notation.milliseconds(cell)
        return notation.millions(cell) if self.kind == "millions" else notation.count(cell)


_FRONT_VALUES = {"AP", "AP50", "AP75", "APs", "APm", "APl", "PQ", "SQ", "RQ", "mIoU"}
"""Values that the page shows at once; a metric that has none of these shows its first four."""


def board_columns(board: Board) -> list[Column]:
    """The columns of a board's table, in order."""
    known = [name for name in board.value_names if name in _FRONT_VALUES]
    front = set(known or board.value_names[:4]) | {board.primary}
    values = [
        Column(
            f"{board.key.prefix}/{name}",
            name,
            "value",
            board.scale,
            over="measured" if name == board.primary else "",
            minor=name not in front,
        )
        for name in board.value_names
    ]
    return [
        Column("rank", "#", "count"),
        Column("name", "Model", "text"),
        Column("variant", "Variant", "text", minor=True),
        values[0],
        Column("published", board.primary, "value", board.scale, "claimed"),
        Column("difference", "Difference", "difference", board.scale, "to the claim"),
        Column("verification", "Verdict", "text"),
        *values[1:],
        Column("latency_p50_ms", "p50", "milliseconds", over="ms / image"),
        Column("latency_p95_ms", "p95", "milliseconds", over="ms / image"),
        Column("images_per_second", "Images / s", "rate", minor=True),
        Column("device", "Device", "text"),
        Column("precision", "Precision", "text"),
        Column("batch_size", "Batch", "count", minor=True),
        Column("parameters", "Parameters", "millions"),
        Column("licence", "Licence", "text"),
        Column("made_by", "Scored from", "text"),
        Column("date", "Date", "date"),
        Column("not_ranked", "Not ranked", "text", minor=True),
        Column("model", "Model family", "text", minor=True),
        Column("recipe", "Recipe", "text", minor=True),
        Column("weights", "Weights", "text", minor=True),
        Column("images", "Images", "count", minor=True),
        Column("evaluator", "Evaluator", "text", minor=True),
        Column("version", "benchsuite", "text", minor=True),
        Column("run_id", "Run", "text", minor=True),
        Column("result_id", "Result", "text", minor=True),
    ]


def board_rows(board: Board) -> list[Row]:
    """A row an entry: the ranked ones, best first, then those that stand apart."""
    told = variants([entry.run for entry in board.entries])
    return [_row(board, entry, variant) for entry, variant in zip(board.entries, told)]


def _row(board: Board, entry: Entry, variant: str) -> Row:
    run = entry.run
    claim = entry.published.get(board.primary)
    compared = claim is not None and entry.primary is not None and not entry.apart
    latency = entry.latency.get("latency", {})
    return {
        "rank": entry.rank,
        "name": run_name(run),
        "variant": variant,
        **{f"{board.key.prefix}/{name}": entry.values.get(name) for name in board.value_names},
        "published": claim,
        "difference": entry.primary - claim if compared else None,  # type: ignore[operator]
        "verification": verification(board, entry) if claim is not None else "",
        "latency_p50_ms": latency.get("p50"),
        "latency_p95_ms": latency.get("p95"),
        "images_per_second": entry.latency.get("images_per_second", {}).get("value"),
        "device": device_title(run),
        "precision": execution_title(run),
        "batch_size": run["batch_size"],
        "parameters": run["parameters"],
        "licence": run["model_licence"],
        "made_by": "a predictions file" if run["verb"] == "eval" else "a run",
        "date": run["created"],
        "not_ranked": entry.apart,
        "model": run["model"],
        "recipe": run["recipe"],
        "weights": run["weights_name"],
        "images": run["n_images"],
        "evaluator": entry.evaluator,
        "version": run["version"],
        "run_id": run["run_id"],
        "result_id": run["result_id"],
    }


def to_csv(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """The table as CSV (RFC 4180): full precision, empty for nothing.

    A text that a spreadsheet would take for a formula gets an apostrophe in front of it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([defused(column.key) for column in columns])
    for row in rows:
        writer.writerow([_csv_cell(row[column.key]) for column in columns])
    return out.getvalue()


def to_markdown(columns: Sequence[Column], rows: Sequence[Row], title: str) -> str:
    """The table as a GitHub-flavoured Markdown table, written as on the page."""
    heads = [
        markdown_text(f"{column.header} ({column.over})" if column.over else column.header)
        for column in columns
    ]
    lines = [
        f"# {markdown_text(title)}",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'|'.join('---:' if column.numeric else '---' for column in columns)}|",
    ]
    for row in rows:
        cells = [markdown_text(column.written(row[column.key])) for column in columns]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def to_parquet(columns: Sequence[Column], rows: Sequence[Row]) -> bytes:
    """The table as Parquet: typed, full precision, null for nothing."""
    schema = pa.schema([(column.key, _ARROW[column.kind]) for column in columns])
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    written: bytes = sink.getvalue().to_pybytes()
    return written


def defused(text: str) -> str:
    """A text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.lstrip(" ")[:1] in tuple("=+-@\t\r\n＝＋－＠") else text


def markdown_text(text: str) -> str:
    """A text with everything escaped that Markdown, or HTML within it, would act on."""
    text = re.sub(r"\s+", " ", text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~#>!])", r"\\\1", text)


def _csv_cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat()
    return defused(cell) if isinstance(cell, str) else repr(cell)

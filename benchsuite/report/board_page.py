"""The page of one leaderboard: the table, what it costs in time, curves and classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from markupsafe import Markup

from benchsuite.report import notation
from benchsuite.report.accuracy_chart import Point, accuracy_against_latency
from benchsuite.report.board_table import Column, Row
from benchsuite.report.boards import Board, Entry
from benchsuite.report.naming import Run, device_title, run_name
from benchsuite.report.pages import render
from benchsuite.report.palette import SERIES, LineStyle, line_style
from benchsuite.report.pareto import pareto_front
from benchsuite.report.per_class import HeatMap, heat_map
from benchsuite.report.precision_recall import Curve, mean_curves
from benchsuite.report.precision_recall_chart import precision_recall

MOST_CURVES = len(SERIES)
"""Results whose curves are overlaid: as many as there are colours that can be told apart."""

MOST_HEAT_COLUMNS = 12

TableOf = Callable[[str, str], pa.Table]
"""``table_of("per_class", run_id)``: one run's rows of a table."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as the page writes it.

    Attributes:
        column: its column.
        text: what stands in it.
        sort: what it is sorted by; ``None``: by its text.
        share: how long its bar is, 0 to 100; ``None``: it has none.
    """

    column: Column
    text: str
    sort: str | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: cells, the address of the run's page, and what tells it from others."""

    cells: Sequence[Cell]
    href: str
    small: str


@dataclass(frozen=True, slots=True)
class DeviceFigure:
    """Accuracy against latency on one device, and the results on its Pareto front."""

    device: str
    chart: Markup
    front: Sequence[tuple[str, str, str, str]]
    results: int


def render_board(
    board: Board,
    columns: Sequence[Column],
    rows: Sequence[Row],
    table_of: TableOf,
    *,
    home: str,
    run_href: Callable[[str], str],
    downloads: Sequence[tuple[str, str]],
) -> str:
    """The page.

    Args:
        board: the leaderboard.
        columns, rows: its table, from ``board_table``.
        table_of: reads one run's rows of a store's table.
        home: address of the index.
        run_href: run id to the address of its page.
        downloads: names and addresses of the table in other formats.
    """
    ranked = [row for row in rows if row["rank"] is not None]
    apart = [row for row in rows if row["rank"] is None]
    ranked_columns = _shown(columns, ranked, {"not_ranked"})
    apart_columns = _shown(columns, apart, _ONLY_RANKED, front=("name", "not_ranked"))
    return render(
        "board.html",
        home=home,
        board=board,
        newest=max((entry.run["created"] for entry in board.entries), default=None),
        devices=sorted({t for e in board.everywhere if (t := device_title(e.run))}),
        ranked_columns=ranked_columns,
        ranked=_lines(ranked_columns, ranked, run_href),
        apart_columns=apart_columns,
        apart=_lines(apart_columns, apart, run_href),
        figures=_device_figures(board, run_href),
        curves=_overlays(board, table_of, run_href),
        heat=_heat(board, table_of),
        most_curves=MOST_CURVES,
        most_heat_columns=MOST_HEAT_COLUMNS,
        downloads=downloads,
    )


_ONLY_RANKED = {"rank", "difference", "verification"}


def _shown(
    columns: Sequence[Column],
    rows: Sequence[Row],
    without: set[str],
    front: Sequence[str] = (),
) -> list[Column]:
    """The columns of a table on the page; one that is empty throughout is shown on request."""
    kept = [column for column in columns if column.key not in without]
    kept.sort(key=lambda column: front.index(column.key) if column.key in front else len(front))
    shown = []
    for column in kept:
        empty = all(row[column.key] in (None, "") for row in rows)
        minor = (column.minor or empty) and column.key not in front
        shown.append(replace(column, minor=minor))
    return shown


def _lines(
    columns: Sequence[Column], rows: Sequence[Row], run_href: Callable[[str], str]
) -> list[Line]:
    primary = next(column.key for column in columns if column.kind == "value")
    known = [row[primary] for row in rows if row[primary] is not None]
    top = max((abs(number) for number in known), default=0.0)
    lines = []
    for row in rows:
        cells = []
        for column in columns:
            cell = row[column.key]
            share = notation.share(cell, column.scale, top) if column.key == primary else None
            cells.append(Cell(column, column.written(cell), _sort_key(column, cell), share))
        small = row["variant"] or (row["model"] if row["model"] != row["name"] else "")
        lines.append(Line(cells, run_href(row["run_id"]), small))
    return lines


def _sort_key(column: Column, cell: Any) -> str | None:
    if cell is None or not column.numeric:
        return None
    return cell.isoformat() if isinstance(cell, datetime) else repr(cell)


def _device_figures(board: Board, run_href: Callable[[str], str]) -> list[DeviceFigure]:
    by_device: dict[str, list[Entry]] = {}
    for entry in board.everywhere:
        device = device_title(entry.run)
        if device and entry.latency.get("latency"):
            by_device.setdefault(device, []).append(entry)
    figures = []
    for i, (device, entries) in enumerate(sorted(by_device.items(), key=lambda d: -len(d[1]))):
        points = [
            Point(run_name(e.run), e.latency["latency"]["p50"], board.scale * e.primary)
            for e in entries
            if e.primary is not None
        ]
        chart = accuracy_against_latency(
            points,
            accuracy=f"{board.primary}, points" if board.scale == 100 else board.primary,
            higher_is_better=board.higher_is_better,
            name=f"latency-{i}",
            description=f"{board.primary} against latency of {len(points)} results on {device}. "
            "The results on the Pareto front are listed below.",
        )
        front = pareto_front(
            [(p.latency, p.accuracy) for p in points], higher_is_better=board.higher_is_better
        )
        told = [
            (
                points[j].name,
                run_href(entries[j].run["run_id"]),
                notation.value(entries[j].primary, board.scale),
                notation.milliseconds(points[j].latency),
            )
            for j in front
        ]
        figures.append(DeviceFigure(device, chart, told, len(points)))
    return figures


@dataclass(frozen=True, slots=True)
class Overlays:
    """The best results' mean curves: a chart a threshold, and one legend for all of them.

    Attributes:
        legend: how a line is drawn, whose it is, and the address of that run.
        charts: threshold and chart.
    """

    legend: Sequence[tuple[LineStyle, str, str]]
    charts: Sequence[tuple[str, Markup]]


def _overlays(board: Board, table_of: TableOf, run_href: Callable[[str], str]) -> Overlays | None:
    legend = []
    found: dict[float, list[tuple[LineStyle, str, Curve]]] = {}
    for place, entry in enumerate(board.ranked[:MOST_CURVES]):
        run_id, name = entry.run["run_id"], f"{entry.rank}. {run_name(entry.run)}"
        curves = mean_curves(table_of("pr_curves", run_id), board.key.prefix)
        if curves:
            style = line_style(place)
            legend.append((style, name, run_href(run_id)))
            for curve in curves:
                if curve.iou is not None:
                    found.setdefault(curve.iou, []).append((style, name, curve))
    if not found:
        return None
    threshold = "OKS" if board.task == "keypoints" else "IoU"
    drawn = [
        (
            f"{threshold} {iou:.2f}",
            precision_recall(
                lines,
                name=f"pr-{round(100 * iou)}",
                description=f"Precision against recall at {threshold} {iou:.2f}, mean over "
                f"categories, of {', '.join(name for _, name, _ in lines)}.",
            ),
        )
        for iou, lines in sorted(found.items())
    ]
    return Overlays(legend, drawn)


def _heat(board: Board, table_of: TableOf) -> tuple[HeatMap, list[Run]] | None:
    best = board.ranked[:MOST_HEAT_COLUMNS]
    tables = [table_of("per_class", entry.run["run_id"]) for entry in best]
    found = heat_map(tables, board.key.prefix, board.primary)
    return None if found is None else (found, [entry.run for entry in best])

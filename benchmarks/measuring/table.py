"""Rows as a Markdown table."""

from __future__ import annotations

from dataclasses import dataclass

from measuring.rows import Row

UNITS = (("s", 1.0), ("ms", 1e3), ("us", 1e6))


@dataclass(frozen=True)
class Column:
    """What a benchmark shows of a row's ``more``.

    Attributes:
        title: of the column.
        key: in ``more``; where it is missing or ``None`` the cell is empty.
        form: format specification of the value.
        scale: what the value is multiplied by first.
    """

    title: str
    key: str
    form: str = ""
    scale: float = 1

    def cell(self, row: Row) -> str:
        value = row.more.get(self.key)
        if value is None:
            return ""
        return format(value if isinstance(value, str) else value * self.scale, self.form)


def head(columns: tuple[Column, ...] = ()) -> str:
    """The two lines above the rows."""
    titles = ["case", "threads", "ours", "peer", "its", "ratio", "spread"]
    titles += [column.title for column in columns]
    rule = ["---", *["--:"] * 2, "---", *["--:"] * (len(titles) - 4)]
    return f"| {' | '.join(titles)} |\n|{'|'.join(rule)}|"


def line(row: Row, columns: tuple[Column, ...] = ()) -> str:
    cells = [
        f"`{row.name}`",
        str(row.threads),
        duration(row.ours_s),
        row.peer or "",
        duration(row.peer_s),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.spread is None else f"{row.spread:.0%}",
        *(column.cell(row) for column in columns),
    ]
    return f"| {' | '.join(cells)} |"


def duration(seconds: float | None) -> str:
    """Three digits in s, ms or us."""
    if seconds is None:
        return ""
    unit, scale = next((each for each in UNITS if seconds * each[1] >= 1), UNITS[-1])
    value = seconds * scale
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"

"""What sections come back with, as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: in its rows; where a row has no such value, or ``None``, the cell is empty.
        title: above it.
        form: format specification of numbers.
    """

    key: str
    title: str
    form: str = ""

    def cell(self, row: Values) -> str:
        value = row.get(self.key)
        if value is None:
            return ""
        text = value if isinstance(value, str) else format(value, self.form)
        return text.replace("|", "\\|").replace("\n", " ")


@dataclass
class Table:
    """Rows that are added as they are measured, so that an end in between loses none."""

    title: str
    columns: Sequence[Column]
    rows: list[Values] = field(default_factory=list)

    def add(self, **values: Any) -> None:
        self.rows.append(values)

    def markdown(self) -> str:
        rule = "|".join("---" if not column.form else "--:" for column in self.columns)
        lines = [
            f"| {' | '.join(column.title for column in self.columns)} |",
            f"|{rule}|",
            *(f"| {' | '.join(c.cell(row) for c in self.columns)} |" for row in self.rows),
        ]
        return f"### {self.title}\n\n" + "\n".join(lines)


@dataclass
class Outcome:
    """A section that was run, or was not.

    Attributes:
        status: ``done``, ``failed`` or ``left out``.
        seconds: that it took.
        tables: with what was measured, also before a failure.
        notes: in words.
        error: of a failure, with where it happened.
    """

    name: str
    status: str
    seconds: float = 0.0
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""

    def to_json(self) -> Values:
        return {
            "name": self.name,
            "status": self.status,
            "seconds": self.seconds,
            "tables": {table.title: table.rows for table in self.tables},
            "notes": self.notes,
            "error": self.error,
        }

    def markdown(self) -> str:
        parts = [f"## {self.name}: {self.status}, {self.seconds:.0f} s"]
        parts += [table.markdown() for table in self.tables]
        parts += ["\n".join(f"- {note}" for note in self.notes)] if self.notes else []
        parts += [f"```\n{self.error.rstrip()}\n```"] if self.error else []
        return "\n\n".join(parts)


def report_markdown(machine: Values, outcomes: Sequence[Outcome]) -> str:
    facts = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    return "\n\n".join(["# One GPU run", facts, *(each.markdown() for each in outcomes)]) + "\n"


def report_json(machine: Values, outcomes: Sequence[Outcome]) -> Values:
    return {"machine": machine, "sections": [outcome.to_json() for outcome in outcomes]}

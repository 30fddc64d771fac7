"""The command line that all benchmarks have: choose cases, show a table, write rows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchsuite.environment import cpu_name, load_average
from benchsuite_kernels import implementations
from measuring.rows import Row, write_rows
from measuring.table import Column, head, line


@dataclass(frozen=True)
class Script:
    """A benchmark as a program.

    Attributes:
        description: its module's docstring; the first line is the help's.
        cases: names, in the order of the table.
        rows: given a case's name, a number of threads and the parsed options, measures.
        threads: numbers of threads a case is measured with, where ``--threads`` names none.
        rounds: samples of a side, where ``--rounds`` names no number.
        columns: shown beside what every table has.
        add_options: adds to the parser what this benchmark alone takes.
    """

    description: str
    cases: Sequence[str]
    rows: Callable[[str, int, argparse.Namespace], Iterable[Row]]
    threads: tuple[int, ...] = (1, 2)
    rounds: int = 15
    columns: tuple[Column, ...] = ()
    add_options: Callable[[argparse.ArgumentParser], None] | None = None

    def parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(description=self.description.partition("\n")[0])
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
        parser.add_argument("--list", action="store_true", help="name the cases and stop")
        parser.add_argument(
            "--only",
            action="append",
            metavar="TEXT",
            help="cases whose name is this or holds it (repeat)",
        )
        parser.add_argument("--rounds", type=int, default=self.rounds, help="samples of a side")
        parser.add_argument(
            "--threads", type=int, nargs="+", default=self.threads, metavar="N", help="of each side"
        )
        if self.add_options:
            self.add_options(parser)
        return parser

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run as ``sys.argv`` (or ``arguments``) says; wrong usage exits with 2.

        The table goes to the standard output, progress to the standard error. The file is written
        anew after every case, so that what was measured outlives an interruption.
        """
        parser = self.parser()
        options = parser.parse_args(arguments)
        if options.rounds < 1 or min(options.threads) < 1:
            parser.error("--rounds and --threads are 1 or more")
        chosen = chosen_cases(self.cases, options.only)
        if not chosen:
            parser.error(f"no case has {' or '.join(options.only)} in its name; try --list")
        if options.list:
            print("\n".join(chosen))
            return
        print(f"{machine()}, {options.rounds} rounds\n\n{head(self.columns)}", flush=True)
        rows: list[Row] = []
        for place, name in enumerate(chosen, 1):
            print(f"{place}/{len(chosen)} {name}", file=sys.stderr, flush=True)
            for threads in options.threads:
                for row in self.rows(name, threads, options):
                    rows.append(row)
                    print(line(row, self.columns), flush=True)
            if options.json:
                write_rows(options.json, rows)


def chosen_cases(cases: Sequence[str], only: Sequence[str] | None) -> list[str]:
    """Those that are named; else those whose names hold one of the texts; all, if there is none."""
    if not only:
        return list(cases)
    return [
        case
        for case in cases
        if any(case == text or (text not in cases and text in case) for text in only)
    ]


def machine() -> str:
    """What the figures depend on, in a line."""
    serving = ", ".join(sorted(set(implementations().values())))
    packages = ", ".join(f"{name} {_version(name)}" for name in ("torch", "torchvision"))
    return f"{date.today()}, {cpu_name()}, load {load_average()}, {packages}, kernels: {serving}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"

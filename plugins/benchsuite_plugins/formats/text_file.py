"""Text files of one record a line, with errors that name file and line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

from benchsuite.errors import DataMissingError, InputError


def read_text(path: Path) -> str:
    """The file's text, which must be UTF-8.

    Raises:
        DataMissingError: there is no such file.
        InputError: it cannot be read, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataMissingError(f"the file {path} is not there") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise line_error(path, line, "is not UTF-8 text") from error


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Number, from 1, and content of each line that is not blank."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        stripped = line.strip()
        if stripped:
            yield number, stripped


def numbers(fields: Sequence[str], path: Path, line: int) -> list[float]:
    """The fields as finite numbers. Raises ``InputError`` for the first that is none."""
    try:
        values = list(map(float, fields))
    except ValueError:
        values = []
    if len(values) == len(fields) and all(map(isfinite, values)) and "_" not in "".join(fields):
        return values
    wrong = next(field for field in fields if not _is_number(field))
    raise line_error(path, line, f"{shortened(wrong)} is not a finite number")


def _is_number(field: str) -> bool:
    try:
        # Python takes underscores between digits, which no other reader does.
        return isfinite(float(field)) and "_" not in field
    except ValueError:
        return False


def line_error(path: Path, line: int, problem: str, remedy: str | None = None) -> InputError:
    """The error that a line of a file has this problem."""
    return InputError(problem, file=path, record=f"line {line}", remedy=remedy)


def shortened(text: str) -> str:
    """A text as messages show it."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}..."

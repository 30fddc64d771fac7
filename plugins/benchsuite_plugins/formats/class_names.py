"""``classes.txt``: names of classes, one a line, beside labels that do not say them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchsuite.errors import InputError
from benchsuite.specs import Category
from benchsuite_plugins.formats.label_files import CLASS_FILE
from benchsuite_plugins.formats.text_file import line_error, lines_of, shortened


def read_class_names(path: Path) -> tuple[str, ...]:
    """The names, in order.

    Raises:
        DataMissingError: there is no such file.
        InputError: it holds no name, or one twice.
    """
    places: dict[str, int] = {}
    for line, name in lines_of(path):
        if name in places:
            raise line_error(
                path, line, f"the name {shortened(name)} is that of line {places[name]}"
            )
        places[name] = line
    if not places:
        raise InputError("holds no class name", file=path)
    return tuple(places)


def numbered(names: Sequence[str]) -> tuple[Category, ...]:
    """Categories of these names, with ids from 1."""
    return tuple(Category(number, name) for number, name in enumerate(names, start=1))


def listed_categories(folder: Path) -> tuple[Category, ...]:
    """The categories that a folder's class file lists; none where there is no such file."""
    file = folder / CLASS_FILE
    return numbered(read_class_names(file)) if file.is_file() else ()


def write_class_names(folder: Path, categories: Sequence[Category]) -> None:
    """Lists the categories in a folder's class file."""
    names = "".join(f"{category.name}\n" for category in categories)
    (folder / CLASS_FILE).write_text(names, encoding="utf-8")

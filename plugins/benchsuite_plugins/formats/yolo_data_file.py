"""The ``data.yaml`` of a YOLO dataset: where its images lie and what its classes are called.

Read are the keys ``path``, ``train``, ``val``, ``test``, ``names``, ``nc`` and ``kpt_shape``, whose
values are texts, or lists or mappings of texts, on one line or one an indented line; other keys are
passed over. That is all the YAML that these files hold where they matter, and YAML's aliases, tags
and types do not matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchsuite.errors import InputError
from benchsuite_plugins.formats.text_file import line_error, read_text, shortened

SPLITS = ("train", "val", "test")

_KEY = re.compile(r"([A-Za-z_][\w-]*)\s*:(?:\s+(.*))?$")
_ITEM = re.compile(r"-\s+(.*)$")
_PAIR = re.compile(r"([^:\s][^:]*?)\s*:\s+(.*)$")

Line = tuple[int, str]


@dataclass(frozen=True, slots=True)
class YoloDataFile:
    """What a ``data.yaml`` says.

    Attributes:
        file: where it is.
        base: the folder that the splits are relative to.
        splits: name to the folders, or lists of images, as they are written.
        names: of the classes, by number; empty where it does not say.
        has_keypoints: whether its labels are of poses.
    """

    file: Path
    base: str
    splits: Mapping[str, Sequence[str]]
    names: tuple[str, ...]
    has_keypoints: bool


@dataclass(slots=True)
class _Section:
    """A key, its value on the same line, and the lines below it that are indented or items."""

    line: int
    value: str
    below: list[Line] = field(default_factory=list)


def read_data_file(file: Path) -> YoloDataFile:
    """Read a ``data.yaml``.

    Raises:
        DataMissingError: it is not there.
        InputError: it is malformed where it matters; names the line.
    """
    sections = _sections(file)
    names = _names(file, sections["names"]) if "names" in sections else ()
    splits = {}
    for split in SPLITS:
        if split in sections:
            section = sections[split]
            values = _values(file, section)
            if any(key is not None for key, _ in values):
                raise line_error(file, section.line, f"{split} is no folder and no list of them")
            if values:
                splits[split] = [value for _, value in values]
    if "nc" in sections and names:
        count = _scalar(file, sections["nc"].line, sections["nc"].value)
        if count != str(len(names)):
            raise line_error(
                file, sections["nc"].line, f"nc is {count}, but {len(names)} classes have names"
            )
    base = sections.get("path")
    return YoloDataFile(
        file=file,
        base="" if base is None else _scalar(file, base.line, base.value),
        splits=splits,
        names=names,
        has_keypoints="kpt_shape" in sections,
    )


def _sections(file: Path) -> dict[str, _Section]:
    """Top-level keys and what belongs to each."""
    sections: dict[str, _Section] = {}
    current: _Section | None = None
    for number, raw in enumerate(read_text(file).split("\n"), start=1):
        line = _without_comment(raw).rstrip()
        if not line or line in ("---", "..."):
            continue
        if line[0] in " \t-" or (current is not None and _is_open(current)):
            if current is None:
                raise line_error(file, number, f"{shortened(line)} belongs to no key")
            current.below.append((number, line.strip()))
            continue
        match = _KEY.match(line)
        if match is None:
            raise line_error(file, number, f"{shortened(line)} is no 'key: value'")
        if match[1] in sections:
            raise line_error(file, number, f"the key {match[1]} is there twice")
        current = sections[match[1]] = _Section(number, (match[2] or "").strip())
    return sections


def _is_open(section: _Section) -> bool:
    """Whether a list or mapping in brackets goes on."""
    text = section.value + "".join(line for _, line in section.below)
    return text[:1] in ("[", "{") and not text.endswith(("]", "}"))


def _without_comment(line: str) -> str:
    """The line up to a ``#`` that stands at its beginning or after a space, outside of quotes."""
    quote = ""
    for place, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and (place == 0 or line[place - 1] in " [{,:"):
            quote = character
        elif character == "#" and (place == 0 or line[place - 1] in " \t"):
            return line[:place]
    return line


def _names(file: Path, section: _Section) -> tuple[str, ...]:
    values = _values(file, section)
    if not values:
        raise line_error(file, section.line, "names no class")
    if all(key is None for key, _ in values):
        return tuple(value for _, value in values)
    by_number = dict(values)
    expected = [str(number) for number in range(len(values))]
    if set(by_number) != set(expected):
        raise line_error(
            file,
            section.line,
            f"the classes are not numbered from 0 to {len(values) - 1}, each once",
        )
    return tuple(by_number[key] for key in expected)


def _values(file: Path, section: _Section) -> list[tuple[str | None, str]]:
    """Key (``None`` in a list) and value of each entry; a single text is a list of one."""
    text = " ".join([section.value, *(line for _, line in section.below)]).strip()
    if text[:1] in ("[", "{"):
        return list(_bracketed(file, section.line, text))
    if section.value:
        return [(None, _scalar(file, section.line, section.value))]
    entries: list[tuple[str | None, str]] = []
    for number, line in section.below:
        item, pair = _ITEM.match(line), _PAIR.match(line)
        if item is not None:
            entries.append((None, _scalar(file, number, item[1])))
        elif pair is not None:
            key = _scalar(file, number, pair[1])
            entries.append((key, _scalar(file, number, pair[2])))
        else:
            raise line_error(file, number, f"{shortened(line)} is no '- item' and no 'key: value'")
    return entries


def _bracketed(file: Path, line: int, text: str) -> Iterator[tuple[str | None, str]]:
    closing = {"[": "]", "{": "}"}[text[0]]
    if text[-1] != closing:
        raise line_error(file, line, f"{text[0]!r} is not closed by {closing!r}")
    for entry in _split_at_commas(text[1:-1]):
        if closing == "]":
            yield None, _scalar(file, line, entry)
            continue
        pair = _PAIR.match(entry)
        if pair is None:
            raise line_error(file, line, f"{shortened(entry)} is no 'key: value'")
        yield _scalar(file, line, pair[1]), _scalar(file, line, pair[2])


def _split_at_commas(text: str) -> list[str]:
    """The entries between commas that are not quoted; one that is empty at the end is none."""
    entries, quote, start = [], "", 0
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and _begins_value(text[start:place]):
            quote = character
        elif character == ",":
            entries.append(text[start:place].strip())
            start = place + 1
    last = text[start:].strip()
    return [*entries, last] if last else entries


def _begins_value(before: str) -> bool:
    """Whether what comes after this part of an entry is the beginning of a text."""
    return not before.strip() or before.rstrip().endswith(":")


def _scalar(file: Path, line: int, text: str) -> str:
    """A text, its quotes taken off."""
    if text[:1] == '"':
        try:
            return str(json.loads(text))
        except ValueError as error:
            raise line_error(file, line, f"{shortened(text)} is not quoted as a text") from error
    if text[:1] == "'":
        if len(text) < 2 or text[-1] != "'":
            raise line_error(file, line, f"{shortened(text)} is not quoted as a text")
        return text[1:-1].replace("''", "'")
    if text[:1] in ("&", "*", "!", "|", ">", "[", "{") or not text:
        raise line_error(file, line, f"{shortened(text)} is no plain text")
    return text


def find_data_file(folder: Path) -> Path | None:
    """``data.yaml`` of a folder, or its only YAML file.

    Raises:
        InputError: there are several, none of them called ``data.yaml``.
    """
    for name in ("data.yaml", "data.yml"):
        if (folder / name).is_file():
            return folder / name
    found = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if len(found) > 1:
        raise InputError(
            f"holds {' and '.join(each.name for each in found)}",
            file=folder,
            remedy="Give the file itself in place of the folder",
        )
    return found[0] if found else None

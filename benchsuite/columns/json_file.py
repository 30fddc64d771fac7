"""A JSON file, read whole, with its hash and errors that name the place in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchsuite.columns.file_bytes import FileBytes
from benchsuite.errors import InputError


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A parsed JSON file.

    Attributes:
        path: where it is.
        content: what it holds.
        sha256: of its bytes, as hexadecimal digits.
    """

    path: Path
    content: Any
    sha256: str

    @classmethod
    def read(cls, path: Path, *, what: str) -> JsonFile:
        """Reads ``path``; ``what`` is what messages call it (``"annotation file"``).

        Raises:
            DataMissingError: there is no such file.
            InputError: it cannot be read, or is not JSON (line and column are named).
        """
        return cls.parsed(FileBytes(path, what=what))

    @classmethod
    def parsed(cls, file: FileBytes) -> JsonFile:
        """The content of a file that was read already; raises as ``read`` does."""
        path = file.path
        try:
            content = json.loads(file.text())
        except json.JSONDecodeError as error:
            raise _not_json(path, error) from error
        except UnicodeDecodeError as error:
            raise InputError(
                f"not JSON: byte {error.start} is not valid {error.encoding}", file=path
            ) from error
        except RecursionError as error:
            raise InputError("not readable as JSON: it is nested too deeply", file=path) from error
        except ValueError as error:
            # Python refuses to convert integers of thousands of digits.
            raise InputError(f"not readable as JSON: {error}", file=path) from error
        return cls(path, content, file.sha256)

    def object(self) -> Mapping[str, Any]:
        """The content, which must be a JSON object."""
        if not isinstance(self.content, dict):
            raise InputError(
                f"holds a JSON {json_type(self.content)} where an object is expected",
                file=self.path,
            )
        return self.content

    def list_field(self, name: str) -> Sequence[Any]:
        """The list that the object holds under ``name``."""
        content = self.object()
        if name not in content:
            raise InputError(f"the field {name!r} is missing", file=self.path)
        if not isinstance(content[name], list):
            raise InputError(
                f"the field {name!r} is a JSON {json_type(content[name])}, not an array",
                file=self.path,
            )
        items: list[Any] = content[name]
        return items


def json_type(value: object) -> str:
    """What JSON calls the type of a parsed value."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def _not_json(path: Path, error: json.JSONDecodeError) -> InputError:
    where = f"line {error.lineno} column {error.colno}"
    at_end = not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated string")
    if at_end:
        return InputError(
            f"not JSON: it ends at {where} before its content does ({error.msg})",
            file=path,
            remedy="The file seems truncated; get it again",
        )
    return InputError(f"not JSON: {error.msg} at {where}", file=path)

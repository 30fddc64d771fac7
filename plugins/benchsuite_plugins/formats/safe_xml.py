"""XML files as trees of elements that know their lines.

A document type declaration is refused: with it go external entities, and entities that expand to
gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from benchsuite.errors import DataMissingError, InputError
from benchsuite_plugins.formats.text_file import line_error

DEEPEST = 100
"""Elements that may lie in each other."""


class Element:
    """One element.

    Attributes:
        tag: its name.
        line: where it begins, from 1.
        text: all character data directly inside, without space at its ends.
        children: the elements directly inside.
    """

    __slots__ = ("_parts", "children", "line", "tag")

    def __init__(self, tag: str, line: int) -> None:
        self.tag, self.line = tag, line
        self.children: list[Element] = []
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._parts).strip()

    def append_text(self, text: str) -> None:
        self._parts.append(text)

    def find(self, tag: str) -> Element | None:
        """The first child of that name."""
        return next(self.find_all(tag), None)

    def find_all(self, tag: str) -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if child.tag == tag)


def read_xml(path: Path) -> Element:
    """The root of the document.

    Raises:
        DataMissingError: there is no such file.
        InputError: it is not well-formed, has a document type declaration, or is nested too deeply.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataMissingError(f"the file {path} is not there") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
    return _Tree(path).parse(content)


class _Tree:
    """Builds the tree from the parser's events."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse
        # The document itself, whose one child is the root.
        self._open = [Element("", 0)]

    def parse(self, content: bytes) -> Element:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            problem = f"not well-formed XML: {expat.ErrorString(error.code)}"
            raise line_error(self._path, error.lineno, problem) from error
        except (LookupError, ValueError) as error:
            # An encoding that is declared, but not known.
            raise InputError(f"not readable as XML: {error}", file=self._path) from error
        return self._open[0].children[0]

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        if len(self._open) > DEEPEST:
            raise line_error(self._path, line, f"elements lie more than {DEEPEST} deep")
        element = Element(tag, line)
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, tag: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].append_text(text)

    def _refuse(self, name: str, *_: object) -> None:
        raise line_error(
            self._path,
            self._parser.CurrentLineNumber,
            "has a document type declaration, which is not read",
            remedy="Annotations need none; take the line out",
        )

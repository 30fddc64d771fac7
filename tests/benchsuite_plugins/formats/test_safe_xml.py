"""XML files, well-formed and not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import DataMissingError, InputError
from benchsuite_plugins.formats.safe_xml import DEEPEST, read_xml


@pytest.fixture
def xml(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        file = tmp_path / "a.xml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def test_elements_know_their_lines_and_texts(xml):
    root = read_xml(xml("<a>\n <b> one </b>\n <b>two</b><c/>\n</a>"))
    assert (root.tag, root.line) == ("a", 1)
    assert [(b.text, b.line) for b in root.find_all("b")] == [("one", 2), ("two", 3)]
    assert root.find("c").line == 3
    assert root.find("d") is None


BILLION_LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [
 <!ENTITY lol "lol">
 <!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">
]>
<annotation>&lol3;</annotation>
"""

EXTERNAL = """<?xml version="1.0"?>
<!DOCTYPE a [<!ENTITY secret SYSTEM "file:///etc/passwd">]>
<a>&secret;</a>
"""


@pytest.mark.parametrize("content", [BILLION_LAUGHS, EXTERNAL, "<!DOCTYPE a SYSTEM 'x.dtd'><a/>"])
def test_a_document_type_declaration_is_refused(xml, content):
    with pytest.raises(InputError, match=r"a\.xml, line \d: has a document type declaration"):
        read_xml(xml(content))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", r"line 1: not well-formed XML: no element found"),
        ("<a>\n<b></a>", r"line 2: not well-formed XML: mismatched tag"),
        ("<a>&unknown;</a>", r"line 1: not well-formed XML: undefined entity"),
        ("<a>\n\x01</a>", r"line 2: not well-formed XML: not well-formed"),
        (b"<a>\xff</a>", r"line 1: not well-formed XML"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', "unknown encoding"),
        ("<a>" * (DEEPEST + 1), f"more than {DEEPEST} deep"),
        ("<a/>\n<b/>", r"line 2: not well-formed XML: junk after document element"),
    ],
)
def test_what_is_malformed_is_named(xml, content, problem):
    with pytest.raises(InputError, match=problem):
        read_xml(xml(content))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataMissingError, match=r"gone\.xml"):
        read_xml(tmp_path / "gone.xml")

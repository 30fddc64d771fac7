"""Formats as plugins: registered, recognised, refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchsuite import formats
from benchsuite.errors import DataMissingError, PluginError, UsageError
from benchsuite.plugins import Registry
from benchsuite.specs import FormatSpec


def always(path: Path) -> bool:
    return True


def never(path: Path) -> bool:
    return False


def broken(path: Path) -> bool:
    raise ValueError("cannot look")


def spec(name: str, recognises: str, **functions: str) -> FormatSpec:
    return FormatSpec(
        name,
        recognises=f"here:{recognises}",
        suffixes=(".txt",),
        summary=f"the format {name}",
        **(functions or {"read_truth": "json:loads"}),
    )


@pytest.fixture
def registered(monkeypatch):
    def register(*specs: FormatSpec) -> None:
        found = Registry(formats={each.name: each for each in specs})
        monkeypatch.setattr(formats, "registry", lambda: found)
        monkeypatch.setattr(formats, "use", lambda name, what: globals()[name.split(":")[1]])

    return register


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("0 1 2\n")
    return tmp_path / "labels.txt"


def test_the_one_that_fits_is_recognised(registered, file):
    registered(spec("a", "never"), spec("b", "always"))
    assert formats.recognise(file).name == "b"
    assert formats.recognise(file.parent).name == "b"


def test_a_file_of_another_ending_is_not_looked_at(registered, file):
    registered(spec("a", "always"), replace(spec("b", "broken"), suffixes=(".json",)))
    assert formats.recognise(file).name == "a"


def test_a_format_without_the_function_is_not_asked(registered, file):
    registered(spec("a", "always"), spec("b", "always", read_predictions="json:loads"))
    assert formats.recognise(file, "read_truth").name == "a"
    assert formats.recognise(file, "read_predictions").name == "b"


def test_none_or_several_are_one_clear_error(registered, file):
    registered(spec("a", "always"), spec("b", "always"), spec("c", "never"))
    with pytest.raises(UsageError, match=r"labels\.txt looks like truth of the formats a and b"):
        formats.recognise(file)
    registered(spec("c", "never"))
    with pytest.raises(UsageError, match=r"none of the known formats: c \(the format c\)"):
        formats.recognise(file)


def test_a_path_that_is_not_there(registered, file):
    registered(spec("a", "always"))
    with pytest.raises(DataMissingError, match="gone"):
        formats.recognise(file.with_name("gone.txt"))


def test_a_format_that_fails_to_look_is_named(registered, file):
    registered(spec("a", "broken"))
    with pytest.raises(PluginError, match=r"'a' fails to look at .*: cannot look"):
        formats.recognise(file)


def test_a_named_format_must_offer_the_function(registered):
    registered(spec("yolo", "always"), spec("voc", "always", write_truth="json:dumps"))
    assert formats.find_format("yolo", "read_truth").name == "yolo"
    with pytest.raises(UsageError, match="'voc' does not read truth; these do: yolo"):
        formats.find_format("voc", "read_truth")
    with pytest.raises(UsageError, match="did you mean yolo"):
        formats.find_format("yolos", "read_truth")

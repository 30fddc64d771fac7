"""File names made of names that people chose."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.report.file_names import LONGEST, distinct_slugs, slug


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("coco-val2017", "coco-val2017"),
        ("my data.v2_final", "my-data.v2_final"),
        ("../../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("a/../../b", "a-.-.-b"),
    ],
)
def test_plain_names_stay_readable(name: str, stem: str) -> None:
    assert slug(name) == stem


@given(st.text())
def test_a_slug_is_one_safe_file_name(name: str) -> None:
    stem = slug(name)
    assert stem == slug(name)
    assert 0 < len(stem) <= LONGEST + 9
    assert ".." not in stem
    assert not stem.startswith((".", "-"))
    assert set(stem) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert PurePosixPath(stem).parts == PureWindowsPath(stem).parts == (stem,)


@pytest.mark.parametrize("name", ["con", "NUL", "com1.txt", "index", "runs", "..", "", "日本"])
def test_names_that_mean_something_else_are_set_apart(name: str) -> None:
    stem = slug(name)
    assert stem.lower() not in {"con", "nul", "index", "runs"}
    assert stem.split(".")[0].lower() not in {"com1"}
    assert len(stem) >= 8


@given(st.sets(st.text(max_size=6), max_size=12))
def test_no_two_names_share_a_file(names: set[str]) -> None:
    stems = distinct_slugs(sorted(names))
    assert set(stems) == names
    assert len({stem.lower() for stem in stems.values()}) == len(names)


def test_names_that_would_collide_carry_a_digest() -> None:
    stems = distinct_slugs(["a b", "a-b", "A-B", "c"])
    assert stems["c"] == "c"
    assert all(stems[name].lower().startswith("a-b-") for name in ("a b", "a-b", "A-B"))

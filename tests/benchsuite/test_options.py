from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from benchsuite.errors import UsageError
from benchsuite.options import merge, options_to_json, parse_overrides, read_options


@dataclass(frozen=True)
class Inner:
    size: int = 800
    means: tuple[float, ...] = (1.0, 2.0, 3.0)


@dataclass(frozen=True)
class Outer:
    threshold: float = 0.05
    name: str = "a"
    input: Inner = field(default_factory=Inner)


def test_overrides_are_json_where_they_are_json_and_text_where_not():
    parsed = parse_overrides(
        ["model.input.size=320", "model.name=b c", "dataset.flag=true", "metric.ious=[0.5]"]
    )
    assert parsed == {
        "model": {"input": {"size": 320}, "name": "b c"},
        "dataset": {"flag": True},
        "metric": {"ious": [0.5]},
    }


@pytest.mark.parametrize("item", ["size", "model=3", "=3", "model..x=1", "modle.size=3", "size=3"])
def test_malformed_overrides(item):
    with pytest.raises(UsageError):
        parse_overrides([item])


def test_a_value_and_a_table_of_one_name_clash():
    with pytest.raises(UsageError, match="given a value before"):
        parse_overrides(["model.input=3", "model.input.size=4"])


def test_nested_values_reach_the_dataclass():
    options = read_options(Outer, {"input": {"size": 320, "means": [0, 0, 0]}}, "model")
    assert options == Outer(input=Inner(size=320, means=(0.0, 0.0, 0.0)))


@dataclass(frozen=True)
class Special:
    """A field's default is another than that of its dataclass."""

    outer: Outer = field(default_factory=lambda: Outer(0.5, "b", Inner(size=3)))
    required: Inner | None = None


def test_a_table_goes_over_the_default_of_its_field():
    options = read_options(Special, {"outer": {"input": {"means": [0]}}}, "model")
    assert options == Special(Outer(0.5, "b", Inner(size=3, means=(0.0,))))
    options = read_options(Special, {"outer": {"name": "c"}, "required": {"size": 1}}, "model")
    assert options == Special(Outer(0.5, "c", Inner(size=3)), Inner(size=1))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"input": {"sise": 1}}, "did you mean size"),
        ({"treshold": 1}, "did you mean threshold"),
        ({"threshold": "high"}, "model.threshold='high'"),
        ({"input": {"size": 1.5}}, r"model.input.size=1.5"),
    ],
)
def test_mistakes_name_the_key(values, message):
    with pytest.raises(UsageError, match=message):
        read_options(Outer, values, "model")


def test_merge_is_deep_and_changes_neither():
    base, over = {"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": 4}
    assert merge(base, over) == {"a": {"b": 3, "c": 2}, "d": 4}
    assert base == {"a": {"b": 1, "c": 2}}


def test_options_as_json():
    assert options_to_json(Outer()) == {
        "threshold": 0.05,
        "name": "a",
        "input": {"size": 800, "means": [1.0, 2.0, 3.0]},
    }
    assert options_to_json(None) == {}

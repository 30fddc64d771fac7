"""How two sets of options differ, in lines that a user reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

NOTHING = object()


def option_differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """A line for each value that differs: ``"optimizer.lr: 0.02 there, 0.01 here"``.

    Args:
        there: options as ``benchsuite.options.options_to_json`` makes them, of a checkpoint.
        here: the same of this training. A tuple is as good as a list.
    """
    return [
        f"{key}: {_text(first)} there, {_text(second)} here"
        for key, first, second in _differing(there, here, "")
    ]


def _differing(first: Any, second: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for name in {**first, **second}:
            below = f"{key}.{name}" if key else str(name)
            yield from _differing(first.get(name, NOTHING), second.get(name, NOTHING), below)
    elif _has_tables(first) and _has_tables(second):
        for index, (one, other) in enumerate(zip_longest(first, second, fillvalue=NOTHING)):
            yield from _differing(one, other, f"{key}[{index}]")
    elif _plain(first) != _plain(second):
        yield key, first, second


def _has_tables(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and any(isinstance(each, Mapping) for each in value)
    )


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _text(value: Any) -> str:
    if value is NOTHING:
        return "not said"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_text(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value) or '""'

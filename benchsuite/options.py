"""Options: dotted ``key=value`` overrides, read into a plugin's dataclass.

The dataclasses are plain; pydantic checks types here, at the edge. An unknown key is an error that
names the nearest keys.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

from benchsuite.errors import UsageError, unknown_name

TABLES = ("model", "dataset", "metric")
"""What the first part of a dotted key may be, where nothing else is said."""


def parse_overrides(
    items: Iterable[str], tables: Sequence[str] = TABLES
) -> dict[str, dict[str, Any]]:
    """``["model.input.min_size_test=320"]`` to ``{"model": {"input": {"min_size_test": 320}}}``.

    A value is read as JSON where it is JSON (``true``, ``0.5``, ``[1, 2]``), else as text.
    """
    values: dict[str, dict[str, Any]] = {table: {} for table in tables}
    for item in items:
        key, equals, text = item.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise UsageError(f"{item!r} is not of the form table.key=value (model.seed_images=3)")
        if parts[0] not in values or len(parts) < 2:
            near = " or ".join(f"{table}.{key}" for table in tables)
            raise UsageError(f"{key!r} does not say whose option it is; write {near}")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        _insert(values[parts[0]], parts[1:], value, item)
    return values


def _insert(table: dict[str, Any], parts: list[str], value: Any, item: str) -> None:
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise UsageError(f"{item!r} goes into {part!r}, which was given a value before")
    table[parts[-1]] = value


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the leaves of ``over`` put over it; neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = merge(below, value) if both and below is not None else value
    return merged


def read_options(options_type: type[Any], values: Mapping[str, Any], table: str) -> Any:
    """An instance of the dataclass ``options_type`` with ``values`` put over its defaults.

    Raises:
        UsageError: an unknown key (with the nearest), one that has no default and no value, or a
            value of a wrong type.
    """
    if not values and _all_have_defaults(options_type):
        # Nothing to check: pydantic's import alone takes as long as a small evaluation.
        return options_type()
    from pydantic import TypeAdapter, ValidationError

    _check_keys(options_type, values, table)
    if missing := missing_options(options_type, values):
        raise UsageError(f"{', '.join(f'{table}.{key}' for key in missing)} must be given")
    try:
        return TypeAdapter(options_type).validate_python(_over_defaults(options_type, values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([table, *(str(part) for part in first["loc"])])
        raise UsageError(f"{key}={first['input']!r}: {first['msg']}") from None


def _check_keys(options_type: type[Any], values: Mapping[str, Any], path: str) -> None:
    types = get_type_hints(options_type)
    known = [field.name for field in dataclasses.fields(options_type) if field.init]
    for key, value in values.items():
        if key not in known:
            raise unknown_name(f"option of {path}", key, known)
        nested = _dataclass_in(types[key])
        if nested is None or not isinstance(value, Mapping):
            continue
        if not _by_name(types[key]):
            _check_keys(nested, value, f"{path}.{key}")
            continue
        for name, below in value.items():
            if isinstance(below, Mapping):
                _check_keys(nested, below, f"{path}.{key}.{name}")


def missing_options(options_type: type[Any], values: Mapping[str, Any]) -> list[str]:
    """The dotted keys that have no default and that ``values`` give none."""
    types, missing = get_type_hints(options_type), []
    for field in dataclasses.fields(options_type):
        nested = None if _by_name(types[field.name]) else _dataclass_in(types[field.name])
        value = values.get(field.name, _default(field))
        needed = field.init and field.name not in values and not _has_default(field)
        if nested is not None and (isinstance(value, Mapping) or needed):
            # What is given goes over the field's default, where that is a whole dataclass.
            over_default = not dataclasses.is_dataclass(_default(field))
            below = missing_options(nested, value or {}) if over_default else []
            missing += [f"{field.name}.{key}" for key in below]
        elif needed:
            missing.append(field.name)
    return missing


def _over_defaults(options_type: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """``values``, each table in them put over the default of the field that it is for, which need
    not be the default of that field's dataclass."""
    defaults = {field.name: _default(field) for field in dataclasses.fields(options_type)}
    return {key: _over(defaults[key], value) for key, value in values.items()}


def _over(default: Any, value: Any) -> Any:
    """A table put over a dataclass's instance; any other value as it is."""
    if not isinstance(value, Mapping) or not dataclasses.is_dataclass(default):
        return value
    whole = {
        field.name: getattr(default, field.name)
        for field in dataclasses.fields(default)
        if field.init
    }
    return whole | {key: _over(whole[key], below) for key, below in value.items()}


def _default(field: dataclasses.Field[Any]) -> Any:
    """The value that a field has where none is given; ``None`` where one must be."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _all_have_defaults(options_type: type[Any]) -> bool:
    return all(_has_default(field) for field in dataclasses.fields(options_type) if field.init)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _by_name(annotation: Any) -> bool:
    """Whether a field is a table with keys of the user's choice."""
    return get_origin(annotation) in (Mapping, dict)


def _dataclass_in(annotation: Any) -> type[Any] | None:
    """The dataclass that a field is, may be (``X | None``), or holds by name."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
            return candidate
    return None


def options_to_json(options: Any) -> dict[str, Any]:
    """Options as JSON-able values: part of a result's identity."""
    if options is None:
        return {}
    plain = dataclasses.asdict(options) if dataclasses.is_dataclass(options) else dict(options)  # type: ignore[arg-type]
    result: dict[str, Any] = json.loads(json.dumps(plain, sort_keys=True, default=str))
    return result

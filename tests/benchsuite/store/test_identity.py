from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from benchsuite.errors import ContractError
from benchsuite.store.identity import check_run_id, new_run_id, result_identity

NOW = datetime(2026, 11, 21, 9, 45, 12, tzinfo=UTC)


def test_a_run_id_tells_time_model_and_dataset() -> None:
    run_id = new_run_id("mask_rcnn", "shapes", NOW)
    assert run_id.startswith("20261121T094512Z-mask_rcnn-shapes-")
    assert int(run_id[-6:], 16) >= 0
    check_run_id(run_id)


def test_run_ids_sort_by_time_whatever_the_time_zone() -> None:
    east = timezone(timedelta(hours=9))
    later = new_run_id("a", "a", (NOW + timedelta(seconds=1)).astimezone(east))
    assert new_run_id("z", "z", NOW) < later


def test_run_ids_differ() -> None:
    assert len({new_run_id("m", "d", NOW) for _ in range(100)}) == 100


def test_a_run_id_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        new_run_id("m", "d", NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("model", "dataset"),
    [
        ("../../etc", "C:\\data\\ann.json"),
        ("", ""),
        ("é☃", "a b\nc\x00"),
        ("x" * 1000, "y" * 1000),
        ("CON", "nul.txt"),
    ],
)
def test_any_name_makes_a_file_name(model: str, dataset: str) -> None:
    run_id = new_run_id(model, dataset, NOW)
    check_run_id(run_id)
    assert len(run_id) < 200


def test_identity_is_the_hash_of_canonical_json() -> None:
    fields = {"b": [1, 2.5, None, True], "a": {"y": "ü", "x": -0.1}}
    text = '{"a":{"x":-0.1,"y":"\\u00fc"},"b":[1,2.5,null,true]}'
    assert json.loads(text) == fields
    assert result_identity(fields) == sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "same",
    [
        {"b": [1, 2], "a": 0.1},
        {"a": 0.1, "b": (1, 2)},
        MappingProxyType({"a": np.float64(0.1), "b": [np.int64(1), np.uint8(2)]}),
    ],
)
def test_identity_does_not_depend_on_order_or_container(same: Any) -> None:
    assert result_identity(same) == result_identity({"a": 0.1, "b": [1, 2]})


@pytest.mark.parametrize(
    "other",
    [
        {"a": 0.1, "b": [2, 1]},
        {"a": 0.1, "b": [1, 2.0]},
        {"a": 0.1, "b": [True, 2]},
        {"a": 0.1, "b": ["1", 2]},
        {"a": float(np.nextafter(0.1, 1)), "b": [1, 2]},
        {"a": float(np.float32(0.1)), "b": [1, 2]},
        {"a": 0.1, "b": [1, 2], "c": None},
        {},
    ],
)
def test_identity_depends_on_every_value(other: Any) -> None:
    assert result_identity(other) != result_identity({"a": 0.1, "b": [1, 2]})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"a": {"b": [0, float("nan")]}}, r"identity\.a\.b\[1\] is nan"),
        ({"a": float("inf")}, "identity.a is inf"),
        ({"a": {1: 2}}, "identity.a has the key 1"),
        ({"a": {1, 2}}, "identity.a is a set"),
        ({"a": b"x"}, "identity.a is a bytes"),
        ({"a": NOW}, "identity.a is a datetime"),
    ],
)
def test_what_has_no_canonical_form_is_named(fields: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        result_identity(fields)

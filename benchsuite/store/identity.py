"""What a run and a result are called.

A *run id* names one walk down the corridor; a *result id* names everything the numbers depend on,
so that two runs with the same one must give the same numbers.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from numbers import Integral, Real
from typing import Any

import numpy as np

from benchsuite.errors import ContractError

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")
_LONGEST_NAME = 60


def new_run_id(model: str, dataset: str, now: datetime) -> str:
    """A new run id: ``20261121T094512Z-mask_rcnn-shapes-3f9a1c``.

    Ids sort by time and are fit for file names on every system; the last six digits are random.

    Args:
        model, dataset: any text; what is not a letter, digit or ``_`` becomes ``_``.
        now: with a time zone.
    """
    if now.tzinfo is None:
        raise ValueError("new_run_id needs a time with a time zone")
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stamp}-{_plain(model)}-{_plain(dataset)}-{secrets.token_hex(3)}"


def check_run_id(run_id: str) -> None:
    """Raise ``ContractError`` unless a run id is fit for a file name on every system."""
    if not _RUN_ID.fullmatch(run_id):
        raise ContractError(
            f"run id {run_id!r} is not fit for a file name: it takes letters, digits, '_' and '-', "
            "begins with a letter or digit and has at most 200 of them"
        )


def result_identity(fields: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of a mapping's canonical JSON.

    Canonical: keys sorted, no spaces, ASCII, floats as their shortest exact decimal; tuples are
    lists and NumPy's scalars plain numbers. ``1`` and ``1.0`` are different.

    Raises:
        ContractError: names the field whose value has no canonical form: NaN, infinity, keys that
            are not strings, objects.
    """
    text = json.dumps(
        _canonical(fields, "identity"), sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return sha256(text.encode("ascii")).hexdigest()


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", name)[:_LONGEST_NAME] or "_"


def _canonical(value: Any, where: str) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        if not math.isfinite(value):
            raise ContractError(f"{where} is {value!r}: a result's identity holds finite numbers")
        return float(value)
    if isinstance(value, list | tuple):
        return [_canonical(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ContractError(f"{where} has the key {key!r}: keys must be strings")
        return {key: _canonical(item, f"{where}.{key}") for key, item in value.items()}
    raise ContractError(
        f"{where} is a {type(value).__name__}: a result's identity holds JSON values"
    )

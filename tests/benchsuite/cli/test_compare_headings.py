"""What two compared results are called where only their execution differs."""

from __future__ import annotations

from typing import Any

import pytest

from benchsuite.cli.compare import _headings
from benchsuite.comparison import ComparedRuns


def run(**values: Any) -> dict[str, Any]:
    plain = {"compile": False, "channels_last": None, "cuda_graph": False}
    return {"run_id": "r", "result_id": "x", "model": "m", "precision": "fp32", **plain, **values}


@pytest.mark.parametrize(
    ("second", "headings"),
    [
        ({}, ["m", "m"]),
        ({"model": "other"}, ["m", "other"]),
        ({"precision": "bf16", "compile": True}, ["m, fp32", "m, bf16, compiled"]),
        ({"precision": None}, ["m, fp32", "m"]),
    ],
)
def test_execution_is_named_where_it_differs(second: dict[str, Any], headings: list[str]) -> None:
    assert _headings(ComparedRuns(run(), run(**second), [])) == headings


def test_execution_is_in_the_json() -> None:
    told = ComparedRuns(
        run(dataset="d", split="s"), run(dataset="d", split="s", precision="bf16"), []
    ).to_json()
    assert (told["first"]["execution"], told["second"]["execution"]) == ("fp32", "bf16")

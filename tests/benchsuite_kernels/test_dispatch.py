"""Which implementation serves, and what is said of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import benchsuite_kernels
from benchsuite_kernels.columns import rle
from benchsuite_kernels.dispatch import OPERATORS

REPORT = """
import json, sys
import benchsuite_kernels as kernels
from benchsuite_kernels.columns import rle
import numpy as np
counts = rle.encode(np.eye(3, dtype=bool))
print(json.dumps({
    "why": kernels.why_reference(), "served": kernels.served(),
    "implementations": kernels.implementations(), "counts": counts.decode(),
    "torch": "torch" in sys.modules,
}))
"""

BREAK = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "benchsuite_kernels._native":
            raise ImportError("undefined symbol: _Znwm")
sys.meta_path.insert(0, Broken())
"""

MISSING = """
import sys
sys.modules["benchsuite_kernels._native"] = None
"""

OUTDATED = """
import sys, types
sys.modules["benchsuite_kernels._native"] = types.SimpleNamespace(INTERFACE=-1)
"""


def in_fresh_interpreter(before: str = "", **environment: str) -> dict:
    output = subprocess.run(
        [sys.executable, "-c", before + REPORT],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(output)


def test_the_environment_variable_forces_the_references() -> None:
    said = in_fresh_interpreter(BENCHSUITE_KERNELS="reference")
    assert said["implementations"] == dict.fromkeys(OPERATORS, "reference")
    assert said["served"] == {"rle_encode": "reference"}
    assert "BENCHSUITE_KERNELS" in said["why"]


@pytest.mark.parametrize(
    ("before", "why"),
    [(BREAK, "undefined symbol: _Znwm"), (MISSING, "not built"), (OUTDATED, "interface -1")],
)
def test_an_extension_that_cannot_be_used_is_explained_and_breaks_nothing(
    before: str, why: str
) -> None:
    said = in_fresh_interpreter(before, BENCHSUITE_KERNELS="")
    assert why in said["why"]
    assert set(said["implementations"].values()) == {"reference"}
    assert said["counts"] == rle.encode(np.eye(3, dtype=bool)).decode()


def test_columns_import_no_torch() -> None:
    assert in_fresh_interpreter()["torch"] is False


def test_served_names_what_served_since_the_reset() -> None:
    benchsuite_kernels.reset_served()
    assert benchsuite_kernels.served() == {}
    rle.area(rle.encode(np.ones((2, 2), bool)))
    serving = benchsuite_kernels.implementations()
    assert benchsuite_kernels.served() == {
        "rle_encode": serving["rle_encode"],
        "rle_area": serving["rle_area"],
    }


def test_kernels_serve_exactly_where_there_is_no_reason_against() -> None:
    serving = set(benchsuite_kernels.implementations().values())
    assert serving == ({"c++"} if benchsuite_kernels.why_reference() is None else {"reference"})

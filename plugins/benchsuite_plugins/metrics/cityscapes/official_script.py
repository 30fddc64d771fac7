"""cityscapesscripts' evaluation scripts as functions that can be called.

A script keeps its parameters in a global object, ends the process where it meets a problem, and
needs ``numpy.in1d``, which NumPy 2.4 no longer has. So each use is given a copy of its own, in
which a problem is an exception and NumPy has that function.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import InputError, PluginError


def evaluator() -> str:
    """What cityscapesscripts and its version are called."""
    return f"cityscapesscripts {version('cityscapesscripts')}"


def load_script(name: str) -> Any:
    """A copy of ``cityscapesscripts.evaluation.<name>``.

    Raises:
        PluginError: cityscapesscripts is not installed, or does not import.
    """
    full_name = f"cityscapesscripts.evaluation.{name}"
    try:
        spec = find_spec(full_name)
        if spec is None or spec.loader is None:
            raise ImportError(f"there is no {full_name}")
        script = module_from_spec(spec)
        spec.loader.exec_module(script)
    except (ImportError, ValueError, OSError) as error:
        raise PluginError(f"the official scorer cannot be used: {error}") from error
    script.__dict__["printError"] = _refuse
    script.__dict__["np"] = _numpy_with_in1d()
    script.__dict__["args"].quiet = True
    script.__dict__["args"].JSONOutput = False
    return script


def _refuse(message: object) -> None:
    raise InputError(f"{evaluator()} says: {message}")


def _numpy_with_in1d() -> ModuleType:
    with_in1d = ModuleType("numpy")
    with_in1d.__dict__.update(np.__dict__)
    with_in1d.__dict__["in1d"] = _in1d
    return with_in1d


def _in1d(values: NDArray[Any], among: Any, invert: bool = False) -> NDArray[np.bool_]:
    return np.isin(np.ravel(values), among, invert=invert)

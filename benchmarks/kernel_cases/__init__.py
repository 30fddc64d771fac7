"""Operators beside their peers: a module each, whose ``CASES`` make them.

A new module is found by itself. Its ``CASES`` map ``operator/size`` to a function without arguments
that draws the inputs from a fixed seed and returns a ``measuring.sides.Case``;
``dispatch/operator`` is the operator on next to nothing, which is what a call costs by itself.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module

from measuring.sides import Case


def all_cases() -> dict[str, Callable[[], Case]]:
    """Every module's cases by name, those of ``dispatch`` last.

    Raises:
        ValueError: two modules have a case of the same name.
    """
    found: dict[str, Callable[[], Case]] = {}
    for module in sorted(each.name for each in pkgutil.iter_modules(__path__)):
        cases = getattr(import_module(f"{__name__}.{module}"), "CASES", {})
        if twice := found.keys() & cases.keys():
            raise ValueError(f"{module}.py: {', '.join(sorted(twice))} are another module's too")
        found |= cases
    return dict(sorted(found.items(), key=lambda case: case[0].startswith("dispatch/")))

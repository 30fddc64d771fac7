"""Operators as they are checked and timed on a GPU: a module each, whose ``CASES`` list them.

A new module is found by itself; see ``case.py`` for what a case is.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from gpu_sections.operators.case import Case


def all_cases() -> Iterator[Case | str]:
    """Every module's cases; in place of those of a module that cannot be imported, why."""
    for name in sorted(each.name for each in pkgutil.iter_modules(__path__)):
        try:
            module = import_module(f"{__name__}.{name}")
        except Exception as error:  # one operator's trouble shall not be another's
            yield f"{name}: {type(error).__name__}: {error}"
            continue
        yield from getattr(module, "CASES", ())

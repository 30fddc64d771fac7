"""The text of a CUDA source, whole: our own headers are put in place of their ``#include``.

So a compiler's cache that knows the text knows everything, and no include path has to be told.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import torch

MACROS = {
    torch.float32: (),
    torch.float16: ("-DSCALAR_IS_HALF",),
    torch.bfloat16: ("-DSCALAR_IS_BFLOAT16",),
}
"""What is defined for each dtype of features; see ``scalar.cuh``."""

_INCLUDE = re.compile(r'^#include "([\w.]+)"$', re.MULTILINE)


def sources() -> tuple[str, ...]:
    """The names of all sources, sorted."""
    folder = files("benchsuite_kernels.cuda") / "sources"
    return tuple(sorted(each.name for each in folder.iterdir() if each.name.endswith(".cu")))


@cache
def source_text(name: str) -> str:
    """A source by its file name or path, with line numbers of its own and of each header."""
    return _expanded(name, set())


def _expanded(name: str, seen: set[str]) -> str:
    seen.add(name)
    text = _place(name).read_text(encoding="utf-8")

    def included(found: re.Match[str]) -> str:
        header = found[1]
        after = text.count("\n", 0, found.end()) + 2
        body = "" if header in seen else _expanded(header, seen)
        return f'{body}\n#line {after} "{name}"'

    return f'#line 1 "{name}"\n' + _INCLUDE.sub(included, text)


def _place(name: str) -> Traversable:
    path = Path(name)
    return path if path.is_absolute() else files("benchsuite_kernels.cuda") / "sources" / name

"""What a kernel takes, read from its source, so that a wrong call is refused before the launch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property

import torch

from benchsuite_kernels.cuda.source import source_text

_KERNEL = re.compile(
    r'^extern "C" __global__ void\s+(?:__launch_bounds__\([^()]*\)\s+)?(\w+)\(([^()]*)\)', re.M
)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_QUALIFIERS = re.compile(r"\b(?:const|__restrict__|volatile)\b")

_TENSORS: dict[str, tuple[torch.dtype, ...]] = {
    "float": (torch.float32,),
    "double": (torch.float64,),
    "long long": (torch.int64,),
    "unsigned long long": (torch.int64, torch.uint64),
    "int": (torch.int32,),
    "unsigned": (torch.int32, torch.uint32),
    "unsigned int": (torch.int32, torch.uint32),
    "short": (torch.int16,),
    "unsigned short": (torch.int16, torch.uint16),
    "signed char": (torch.int8,),
    "char": (torch.int8, torch.uint8),
    "unsigned char": (torch.uint8, torch.bool),
    "bool": (torch.bool,),
}
"""Which tensors a pointer to each type may point into."""


_NUMBERS: dict[str, type | tuple[()]] = {"pointer": (), "integer": int, "number": float}


@dataclass(frozen=True)
class Parameter:
    """``text``: as declared; ``kind``: ``pointer``, ``integer`` (``long long``) or ``number``
    (``float``); ``element``: what a pointer points to."""

    name: str
    text: str
    kind: str
    element: str = ""

    @cached_property
    def numbers(self) -> type | tuple[()]:
        """The type of the numbers that may be passed: none to a pointer."""
        return _NUMBERS[self.kind]

    def takes_tensor(self, dtype: torch.dtype, scalar: torch.dtype) -> bool:
        """Whether a tensor may be passed, where ``SCALAR`` is ``scalar``."""
        if self.element == "SCALAR":
            return dtype is scalar
        return dtype in _TENSORS.get(self.element, ())


@cache
def signatures(text: str) -> dict[str, tuple[Parameter, ...]]:
    """Kernel name to parameters, of a source's text.

    Raises:
        ValueError: a parameter of a type that kernels may not have.
    """
    return {
        found[1]: tuple(_parameter(each, found[1]) for each in found[2].split(",") if each.strip())
        for found in _KERNEL.finditer(_COMMENT.sub("", text))
    }


@cache
def parameters_of(source: str, kernel: str) -> tuple[Parameter, ...]:
    """The parameters of a kernel in a file of ``cuda/sources``.

    Raises:
        ValueError: the file has no such kernel.
    """
    known = signatures(source_text(source))
    if kernel not in known:
        raise ValueError(f"{source} has no kernel {kernel}; it has {', '.join(known)}")
    return known[kernel]


def _parameter(text: str, kernel: str) -> Parameter:
    text = " ".join(text.split())
    found = re.fullmatch(r"(.*?)(\w+)", text)
    if found is None:
        raise ValueError(f"{kernel}: parameter {text!r} has no name")
    kind, name = " ".join(_QUALIFIERS.sub(" ", found[1]).split()), found[2]
    if kind.endswith("*"):
        element = kind.removesuffix("*").strip()
        if element == "SCALAR" or element in _TENSORS:
            return Parameter(name, text, "pointer", element)
    elif kind == "long long":
        return Parameter(name, text, "integer")
    elif kind == "float":
        return Parameter(name, text, "number")
    raise ValueError(f"{kernel}: {text!r} is neither a pointer to numbers, long long nor float")

"""Pickles of NumPy arrays, read without executing anything.

A pickle is a program that may call any function it names. Here the few names with which NumPy
writes arrays stand for inert records of our own, every other name is refused, and nothing that the
file names is called: arrays are made from the records afterwards, once their sizes are checked.
"""

from __future__ import annotations

import mmap
import pickle
import pickletools
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import InputError

NUMBERS = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))
"""NumPy's codes of the dtypes that weights may have."""

REMEDY = "Get it again from where it was published, and do not use it if it is the same there"


class DtypeRecord:
    """What a pickle states of a dtype."""

    __slots__ = ("byte_order", "code")

    def __init__(self, code: Any, align: Any = None, copy: Any = None) -> None:
        self.code: Any = code
        self.byte_order: Any = "="

    def __setstate__(self, state: Any) -> None:
        self.byte_order = state[1]

    def dtype(self) -> np.dtype[Any]:
        """The dtype.

        Raises:
            ValueError: it is not one of numbers.
        """
        if self.code not in NUMBERS or self.byte_order not in ("=", "<", ">", "|"):
            raise ValueError(f"its dtype is {self.byte_order}{self.code}")
        dtype: np.dtype[Any] = np.dtype(self.code)
        return dtype.newbyteorder(self.byte_order)


class ArrayRecord:
    """What a pickle states of an array."""

    __slots__ = ("column_major", "data", "dtype", "shape")

    def __init__(
        self, shape: Any = None, dtype: Any = None, data: Any = None, column_major: bool = False
    ) -> None:
        self.shape: Any = shape
        self.dtype: Any = dtype
        self.data: Any = data
        self.column_major: Any = column_major

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.dtype, self.column_major, self.data = state

    def array(self) -> NDArray[Any]:
        """The array: its own copy, in this machine's byte order.

        Raises:
            ValueError: what is stated is no array of numbers, or shape and values do not fit.
        """
        if not isinstance(self.dtype, DtypeRecord):
            raise ValueError("it has no dtype")
        dtype, shape, data = self.dtype.dtype(), self.shape, self.data
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"its shape is {shape!r}")
        if isinstance(data, str):
            data = data.encode("latin1")
        if not isinstance(data, bytes | bytearray):
            raise ValueError(f"its values are a {type(data).__name__}")
        if prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"its shape {shape} of {dtype} does not fit {len(data)} bytes")
        flat = np.frombuffer(bytearray(data), dtype)
        array = flat.reshape(shape, order="F" if self.column_major else "C")
        return array.astype(dtype.newbyteorder("="), order="C", copy=False)


class _Function:
    """A function that a pickle may name and call, but not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it sets the state of a function")


def _reconstruct(subtype: Any, shape: Any, typecode: Any) -> ArrayRecord:
    return ArrayRecord()


def _scalar(dtype: Any, data: Any) -> ArrayRecord:
    return ArrayRecord((), dtype, data)


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> ArrayRecord:
    return ArrayRecord(shape, dtype, data, column_major=order == "F")


def _encode(text: Any, encoding: Any) -> bytes:
    """How Python 3 writes bytes into pickles that Python 2 can read ..."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it encodes as {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """... and how it writes that there are none."""
    return b""


ADMITTED: dict[str, Any] = {
    "numpy.ndarray": ArrayRecord,
    "numpy.dtype": DtypeRecord,
    "_codecs.encode": _Function(_encode),
    "__builtin__.bytes": _Function(_no_bytes),
    "builtins.bytes": _Function(_no_bytes),
    "collections.OrderedDict": dict,
    **{
        f"numpy.{core}.{name}": _Function(function)
        for core in ("core", "_core")
        for name, function in (
            ("multiarray._reconstruct", _reconstruct),
            ("multiarray.scalar", _scalar),
            ("numeric._frombuffer", _from_buffer),
        )
    },
}
"""The names that a pickle of arrays may hold, and what they stand for here."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, program: mmap.mmap, path: Path) -> None:
        # Python 2 wrote an array's bytes as text in which each character is a byte.
        super().__init__(program, encoding="latin1")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if (stand_in := ADMITTED.get(f"{module}.{name}")) is None:
            raise _refusal(f"{module}.{name}", self.path)
        return stand_in


def read_array_pickle(path: Path) -> Any:
    """What a pickle holds: dicts, lists, text and numbers, and an ``ArrayRecord`` an array.

    Args:
        path: a file that is not empty.

    Raises:
        InputError: the file is truncated or damaged, or names anything but NumPy's array
            reconstruction.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as program:
        _check_instructions(cast("IO[bytes]", program), path)
        program.seek(0)
        try:
            return _Unpickler(program, path).load()
        except InputError:
            raise
        except Exception as error:  # a damaged program may fail in any way
            raise InputError(
                f"is damaged, or no pickle of arrays ({type(error).__name__}: {error})",
                file=path,
                remedy=REMEDY,
            ) from None


def _check_instructions(program: IO[bytes], path: Path) -> None:
    """Read the program without running it: names, declared lengths, places in the memo.

    Unpickling reserves what a length or a place declares before it looks whether there is as much,
    so that a few bytes could ask for all memory there is.
    """
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(program)):
            if opcode.name in ("GLOBAL", "INST"):
                module, _, name = str(argument).partition(" ")
                if f"{module}.{name}" not in ADMITTED:
                    raise _refusal(f"{module}.{name}", path)
            elif opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > count:
                raise InputError(
                    f"asks for place {argument} of the memo after {count} instructions",
                    file=path,
                    remedy=REMEDY,
                )
    except InputError:
        raise
    except Exception as error:  # what cannot be parsed fails in many ways
        raise InputError(f"is truncated or damaged ({error})", file=path, remedy=REMEDY) from None


def _refusal(name: str, path: Path) -> InputError:
    return InputError(
        f"refused: it asks for {name}, which weights do not need and which could run anything",
        file=path,
        remedy=REMEDY,
    )

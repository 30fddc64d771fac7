"""Building a CUDA source as a shared library for the CPU.

Libraries are kept in the user's cache, by what they were built of. The environment variable
``BENCHSUITE_EMULATION=address`` builds them with the address and undefined-behaviour sanitizers;
such a process must be started with ``sanitizer_runtime()`` preloaded.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import torch

from benchsuite_kernels.cuda.cache import cache_folder
from benchsuite_kernels.cuda.signature import Parameter, signatures
from benchsuite_kernels.cuda.source import MACROS, source_text

VARIABLE = "BENCHSUITE_EMULATION"

FLAGS = (
    "-std=c++17",
    "-O2",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-strict-aliasing",
    "-fvisibility=hidden",
    "-fPIC",
    "-shared",
    "-pthread",
    "-Wno-unknown-pragmas",
)

SANITIZERS = {
    "": (),
    "address": ("-g1", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
}

_DYNAMIC = re.compile(r"\bextern\s+__shared__\s+((?:\w+\s+)+)(\w+)\s*\[\s*\]\s*;")


def emulation_problem() -> str | None:
    """Why CUDA sources cannot be built for the CPU; ``None`` where they can."""
    if os.name != "posix":
        return "emulation needs Linux or macOS"
    wanted = os.environ.get("CXX", "g++")
    if _compiler() is None:
        return f"there is no C++ compiler ({wanted}): install g++, or name another one in CXX"
    return None


def sanitizer_runtime() -> str | None:
    """What a process must preload to run with ``BENCHSUITE_EMULATION=address``.

    The C++ library too: the sanitizer looks for what throws exceptions when the process starts.
    """
    compiler = _compiler()
    if compiler is None:
        return None
    found = []
    for name in ("libasan.so", "libstdc++.so"):
        command = [compiler, f"-print-file-name={name}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(done.stdout.strip())
    return " ".join(found) if all(Path(each).is_absolute() for each in found) else None


@cache
def library(source: str, scalar: torch.dtype) -> ctypes.CDLL:
    """The library of a source, with a function ``emulated_<kernel>`` for each kernel.

    Raises:
        RuntimeError: there is no compiler, or it refuses the source.
    """
    compiler = _compiler()
    if compiler is None:
        raise RuntimeError(f"{source} cannot be emulated: {emulation_problem()}")
    mode = os.environ.get(VARIABLE, "")
    if mode not in SANITIZERS:
        raise ValueError(f"{VARIABLE}={mode} is not known; use address")
    text = emulated_text(source_text(source))
    flags = (*FLAGS, *SANITIZERS[mode], *MACROS[scalar])
    return _built(Path(source).stem, text, compiler, flags)


def emulated_text(text: str) -> str:
    """A CUDA source as C++: with the emulation's header, and a caller for each kernel."""
    header = '#include "device.hpp"\n'
    callers = [_caller(name, parameters) for name, parameters in signatures(text).items()]
    body = _DYNAMIC.sub(_pointer_to_dynamic, text)
    return "\n".join([header, body, '#line 1 "callers of the kernels"', *callers, ""])


def _pointer_to_dynamic(found: re.Match[str]) -> str:
    kind = found[1].strip()
    memory = "emulation::dynamic_shared_memory"
    return f"{kind}* const {found[2]} = reinterpret_cast<{kind}*>({memory});"


def _caller(kernel: str, parameters: tuple[Parameter, ...]) -> str:
    declared = "".join(f", {each.text}" for each in parameters)
    names = ", ".join(each.name for each in parameters)
    return (
        f'extern "C" __attribute__((visibility("default"))) void '
        f"emulated_{kernel}(const emulation::Launch* launch{declared}) {{\n"
        f'  emulation::run_kernel("{kernel}", *launch, [&] {{ {kernel}({names}); }});\n}}'
    )


def _built(stem: str, text: str, compiler: str, flags: tuple[str, ...]) -> ctypes.CDLL:
    with as_file(files("benchsuite_kernels.cuda") / "emulation") as headers:
        parts = [compiler, _version(compiler), *flags, text]
        for header in sorted([*headers.glob("*.hpp"), *headers.glob("*.h")]):
            parts += [header.name, header.read_text(encoding="utf-8")]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
        folder = cache_folder() / "emulated"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stem}-{key}.so"
        if not path.exists():
            with _only_one(folder / f"{stem}-{key}.lock"):
                if not path.exists():
                    _compile(text, [compiler, *flags, "-I", str(headers)], path)
    return ctypes.CDLL(str(path))


def _compile(text: str, command: list[str], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        built = Path(folder) / path.name
        done = subprocess.run(
            [*command, "-x", "c++", "-", "-o", str(built)],
            input=text,
            env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{path.stem} does not compile for the CPU:\n{done.stderr}")
        built.replace(path)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """One process at a time; the others wait."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@cache
def _compiler() -> str | None:
    return shutil.which(os.environ.get("CXX", "g++"))


@cache
def _version(compiler: str) -> str:
    """What tells one compiler from another."""
    command = [compiler, "-dumpfullversion", "-dumpmachine"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

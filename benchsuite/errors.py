"""Errors a user can act on, each with the exit code the command line gives it.

Every message says what was found, where (file and record), and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BenchsuiteError(Exception):
    """Something the user can put right. Exit code 1."""

    exit_code = 1


class UsageError(BenchsuiteError):
    """The command or one of its names or options is not understood. Exit code 2."""

    exit_code = 2


class ToleranceError(BenchsuiteError):
    """A measured number lies outside the tolerance of the published one. Exit code 3."""

    exit_code = 3


class DataMissingError(BenchsuiteError):
    """A dataset or weights file is not there; the message says how to get it. Exit code 4."""

    exit_code = 4


class InputError(BenchsuiteError):
    """A file holds something that cannot be scored. Exit code 1.

    Args:
        problem: what is wrong, in a clause.
        file: the file it was found in.
        record: which record of the file (``"annotations[3] (id 17)"``).
        remedy: what to do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: object | None = None,
        record: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem, self.file, self.record, self.remedy = problem, file, record, remedy
        where = ", ".join(str(part) for part in (file, record) if part is not None)
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text}. {remedy}" if remedy else text)


class ContractError(BenchsuiteError):
    """A plugin returned something the contract does not allow. Exit code 1."""


class PluginError(BenchsuiteError):
    """A plugin that the command needs could not be used. Exit code 1."""


class KernelError(BenchsuiteError):
    """Kernels were required, and an operator was served by something slower. Exit code 1."""


class InterruptedRun(BenchsuiteError):
    """The user interrupted; what was finished is kept. Exit code 130."""

    exit_code = 130


def unknown_name(kind: str, name: str, known: Iterable[str], *, hint: str = "") -> UsageError:
    """The error for a name nobody registered, with the nearest names that somebody did."""
    known = sorted(known)
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        text = f"unknown {kind} {name!r}; did you mean {' or '.join(near)}?"
    elif known:
        text = f"unknown {kind} {name!r}; there are: {', '.join(known[:20])}"
    else:
        text = f"unknown {kind} {name!r}; none is registered"
    return UsageError(f"{text} {hint}".rstrip())

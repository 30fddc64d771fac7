"""What a user is told when the operating system refuses the store something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchsuite.errors import BenchsuiteError
from benchsuite.files import durable


@contextmanager
def explained(place: Path, outcome: str) -> Iterator[None]:
    """Turn the operating system's errors within the block into ones that a user can act on.

    Args:
        place: the store, or the folder that was worked on.
        outcome: what follows from it, in a clause.
    """
    try:
        yield
    except OSError as error:
        raise explain(place, outcome, error) from error


def explain(place: Path, outcome: str, error: OSError) -> BenchsuiteError:
    """The user's error for the operating system's."""
    # Arrow's errors have no file name and put all of the text into the second argument.
    reason = error.strerror or str(error)
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in durable.FULL:
        remedy = "Free some space, or choose another disk with --out DIR"
    elif error.errno in durable.FORBIDDEN:
        remedy = "Give yourself the right to write there, or choose another place with --out DIR"
    else:
        remedy = "Look at that disk, or choose another place with --out DIR"
    return BenchsuiteError(f"{place}: {outcome}: {reason}{where}. {remedy}")

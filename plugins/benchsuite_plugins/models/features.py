"""Feature maps are passed by name; names that nothing makes are told before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from benchsuite.errors import UsageError, unknown_name


def check_names(option: str, wanted: Iterable[str], available: Iterable[str]) -> None:
    """Check an option that names feature maps.

    Raises:
        UsageError: it names none, or one that is not available.
    """
    wanted, available = tuple(wanted), tuple(available)
    if not wanted:
        raise UsageError(f"{option} is empty; there are: {', '.join(available)}")
    for name in wanted:
        if name not in available:
            raise unknown_name(f"feature in {option}", name, available)

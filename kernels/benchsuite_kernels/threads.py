"""How many threads evaluation may use: one number, for every kernel right of the predictions.

The results never depend on it. By default it is the number of processors this process may run on;
the environment variable ``BENCHSUITE_THREADS`` and ``set_evaluation_threads`` say otherwise, the
latter before the former.
"""

from __future__ import annotations

import os

VARIABLE = "BENCHSUITE_THREADS"

_chosen: int | None = None


def evaluation_threads() -> int:
    """The number of threads that evaluation kernels are given, at least 1.

    Raises:
        ValueError: ``BENCHSUITE_THREADS`` is set to something else than a whole number above 0.
    """
    if _chosen is not None:
        return _chosen
    wanted = os.environ.get(VARIABLE, "").strip()
    if wanted:
        if not (wanted.isascii() and wanted.isdigit()) or int(wanted) < 1:
            raise ValueError(f"{VARIABLE}={wanted!r} is not a number of threads (1, 2, ...)")
        return int(wanted)
    return _processors()


def set_evaluation_threads(count: int | None) -> None:
    """Choose the number of threads for this process; ``None`` goes back to the default.

    Raises:
        ValueError: it is less than 1.
    """
    global _chosen
    if count is not None and count < 1:
        raise ValueError(f"{count} is not a number of threads (1, 2, ...)")
    _chosen = count


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: a container or taskset may allow fewer
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1

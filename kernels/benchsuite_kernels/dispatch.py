"""Which implementation of an operator serves, and which one did.

The C++ kernels live in one extension module, ``benchsuite_kernels._native``, which is built where
there is a compiler. It is imported when the first operator is called. Where it cannot be used,
every operator falls back on its reference, and ``why_reference`` tells the reason.

The environment variable ``BENCHSUITE_KERNELS=reference`` forces the references; it is read once,
at the first use.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType

OPERATORS = (
    "batched_nms",
    "count_boundary_pairs",
    "count_label_pairs",
    "decode_label_map",
    "federated_detections",
    "gather_counts",
    "instance_map_overlaps",
    "instance_map_regions",
    "match_detections",
    "match_groups",
    "match_order",
    "order_by_group",
    "overlapping_pairs",
    "paste_masks_to_rle",
    "precision_recall",
    "proposal_coverage",
    "read_label_map_header",
    "resampled_means",
    "resize_bilinear",
    "rle_area",
    "rle_decode",
    "rle_encode",
    "rle_from_polygons",
    "rle_from_runs",
    "rle_to_bbox",
    "rle_validate",
    "roi_align",
    "rotated_iou",
    "scan_annotations",
    "scan_results",
)
"""Every operator, by the name that ``implementations`` and ``served`` use."""

INTERFACE = 4
"""Counts changes of the extension's functions; an extension built for another one is not used."""

VARIABLE = "BENCHSUITE_KERNELS"

_tally: dict[str, dict[str, None]] = {}


@cache
def _load() -> tuple[ModuleType | None, str | None]:
    """The extension, or ``None`` and the reason why not."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", "c++", "reference"):
        raise ValueError(f"{VARIABLE}={wanted!r} is not known; use 'c++' or 'reference'")
    if wanted == "reference":
        return None, f"{VARIABLE}=reference is set"
    try:
        native = import_module("benchsuite_kernels._native")
    except ModuleNotFoundError as error:
        if error.name != "benchsuite_kernels._native":
            return None, f"the C++ extension does not import: {error}"
        return None, (
            "the C++ extension is not built (no C++17 compiler when benchsuite was installed?); "
            "install a compiler, then install benchsuite again"
        )
    except Exception as error:  # a broken binary may fail in any way, and must break nothing
        return None, f"the C++ extension does not import: {type(error).__name__}: {error}"
    found = getattr(native, "INTERFACE", None)
    if found != INTERFACE:
        return None, (
            f"the C++ extension has interface {found}, this version needs {INTERFACE}; build it "
            "again (python setup.py build_ext --inplace, or install benchsuite again)"
        )
    return native, None


def native() -> ModuleType | None:
    """The extension module, or ``None`` where the references serve."""
    return _load()[0]


def why_reference() -> str | None:
    """Why the references serve in place of the C++ kernels; ``None`` where the kernels do."""
    return _load()[1]


def implementations() -> dict[str, str]:
    """Operator name to what serves it for CPU data on this machine: ``"c++"``, ``"reference"``."""
    serving = "reference" if native() is None else "c++"
    return dict.fromkeys(OPERATORS, serving)


def tally(operator: str, implementation: str) -> None:
    """Note that a call of ``operator`` was served by ``implementation``."""
    _tally.setdefault(operator, {})[implementation] = None


def served() -> dict[str, str]:
    """Operator name to what served its calls since ``reset_served``, in order of first use.

    Values are ``"c++"``, ``"reference"`` or ``"torchvision"``; where several took turns they are
    joined (``"c++, torchvision"``). Operators that were not called are absent.
    """
    return {operator: ", ".join(by) for operator, by in _tally.items()}


def reset_served() -> None:
    """Forget what served so far."""
    _tally.clear()

"""Which implementation of an operator serves, and which one did.

The C++ kernels live in one extension module, ``benchsuite_kernels._native``, which is built where
there is a compiler. It is imported when the first operator is called. Where it cannot be used,
every operator falls back on its reference, and ``why_reference`` tells the reason.

The environment variable ``BENCHSUITE_KERNELS`` forces what serves CPU tensors: ``reference``, or
``emulated``, which runs the CUDA sources on the CPU (slow: it is for tests). It is read once, at
the first use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType

OPERATORS = (
    "batched_nms",
    "box_selection",
    "compress_runs",
    "count_boundary_pairs",
    "count_label_pairs",
    "crop_packed_masks",
    "decode_boxes",
    "decode_keypoints",
    "decode_label_map",
    "deform_conv2d",
    "dense_selection",
    "encode_boxes",
    "federated_detections",
    "gather_counts",
    "instance_map_overlaps",
    "instance_map_regions",
    "match_boxes",
    "match_detections",
    "match_groups",
    "match_order",
    "nms_per_image",
    "nms_rotated_per_image",
    "order_by_group",
    "overlapping_pairs",
    "pack_masks",
    "packed_areas",
    "packed_from_runs",
    "packed_intersections",
    "packed_merge",
    "pairwise_iou",
    "pairwise_iou_rotated",
    "panoptic_merge",
    "panoptic_merge_rle",
    "paste_masks_packed",
    "paste_masks_runs",
    "paste_masks_to_rle",
    "polygon_targets",
    "precision_recall",
    "proposal_coverage",
    "read_label_map_header",
    "resampled_means",
    "resize_bilinear",
    "resize_normalise_pad",
    "rle_area",
    "rle_decode",
    "rle_encode",
    "rle_from_polygons",
    "rle_from_runs",
    "rle_merge",
    "rle_to_bbox",
    "rle_validate",
    "roi_align",
    "roi_align_backward",
    "roi_align_rotated",
    "roi_align_rotated_backward",
    "rotated_iou",
    "rpn_selection",
    "runs_from_packed",
    "scan_annotations",
    "scan_results",
    "semantic_argmax",
    "sigmoid_focal_loss",
    "sigmoid_focal_loss_sum",
    "soft_nms",
)
"""Every operator, by the name that ``implementations`` and ``served`` use."""

INTERFACE = 5
"""Counts changes of the extension's functions; an extension built for another one is not used."""

VARIABLE = "BENCHSUITE_KERNELS"

WANTED = ("", "c++", "reference", "emulated")

_tally: dict[str, dict[str, None]] = {}
_required = False
_mode: str | None = None


def _wanted() -> str:
    """What is forced: one of ``WANTED``."""
    global _mode
    if _mode is None:
        _mode = os.environ.get(VARIABLE, "")
        if _mode not in WANTED:
            raise ValueError(f"{VARIABLE}={_mode!r} is not known; use {', '.join(WANTED[1:])}")
    return _mode


@contextmanager
def serving(implementation: str) -> Iterator[None]:
    """Force ``"c++"``, ``"reference"`` or ``"emulated"`` in all threads, for as long as this lasts.

    Raises:
        ValueError: another name.
    """
    global _mode
    if implementation not in WANTED:
        raise ValueError(f"implementation {implementation!r}: use {', '.join(WANTED[1:])}")
    before, _mode = _wanted(), implementation
    try:
        yield
    finally:
        _mode = before


def emulating() -> bool:
    """Whether CUDA sources serve tensors on the CPU."""
    return _wanted() == "emulated"


@cache
def _load() -> tuple[ModuleType | None, str | None]:
    """The extension, or ``None`` and the reason why not."""
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
    return None if _wanted() == "reference" else _load()[0]


def extension() -> ModuleType:
    """The extension module, where ``native()`` has told that it is there."""
    found = _load()[0]
    assert found is not None
    return found


def why_reference() -> str | None:
    """Why the references serve in place of the C++ kernels; ``None`` where the kernels do."""
    return f"{VARIABLE}=reference is set" if _wanted() == "reference" else _load()[1]


def implementations() -> dict[str, str]:
    """Operator name to what serves it for CPU data on this machine: ``"c++"``, ``"reference"``."""
    serving = "reference" if native() is None else "c++"
    return dict.fromkeys(OPERATORS, serving)


def tally(operator: str, implementation: str) -> None:
    """Note that a call of ``operator`` was served by ``implementation``."""
    _tally.setdefault(operator, {})[implementation] = None


def require_kernels(required: bool) -> None:
    """Whether an operator that only its reference can serve is an error from now on."""
    global _required
    _required = required


def refuse_reference(operator: str) -> None:
    """Raise where kernels are required, since the reference is about to serve.

    Raises:
        RuntimeError: kernels are required.
    """
    if _required:
        raise RuntimeError(f"no kernel serves {operator}, and kernels are required")


def served() -> dict[str, str]:
    """Operator name to what served its calls since ``reset_served``, in order of first use.

    Values are ``"c++"``, ``"cuda"``, ``"emulated"`` or ``"reference"``; where several took turns
    they are joined (``"c++, reference"``). Operators that were not called are absent.
    """
    return {operator: ", ".join(by) for operator, by in _tally.items()}


def reset_served() -> None:
    """Forget what served so far."""
    _tally.clear()

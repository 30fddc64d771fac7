"""Overlaps as the C++ extension takes them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from benchsuite_kernels.columns.match_arrays import Detections
from benchsuite_kernels.columns.overlaps import (
    BoundaryOverlaps,
    BoxOverlaps,
    GivenOverlaps,
    KeypointOverlaps,
    MaskOverlaps,
    Overlaps,
    Rows,
)


def native_overlaps(
    extension: ModuleType,
    overlaps: Overlaps,
    detections: Detections,
    truth_groups: Rows,
    *,
    least: float,
    most_detections: int,
    threads: int,
) -> tuple[str, Any]:
    """What the extension calls this kind of overlaps, and the record it reads.

    Similarities of keypoints become given ones, those of pairs that may reach ``least``: their
    exponentials are NumPy's, whose last bit depends on the processor.
    """
    match overlaps:
        case BoxOverlaps():
            return "boxes", overlaps
        case MaskOverlaps():
            return "masks", overlaps
        case BoundaryOverlaps():
            return "boundaries", overlaps
        case GivenOverlaps():
            return "given", overlaps
        case KeypointOverlaps():
            kernels = extension.detection_match
            starts, truths, exponent_starts, exponents = kernels.keypoint_exponents(
                detections, truth_groups, overlaps, least, most_detections, threads
            )
            with np.errstate(all="ignore"):
                np.exp(exponents, out=exponents)
            means = kernels.pairwise_means(exponents, exponent_starts)
            return "given", GivenOverlaps(starts, truths, means)

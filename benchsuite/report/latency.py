"""How long the images of a run took, in the order in which they were run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

LATENCY_STAGES = ("preprocess", "model", "postprocess")
"""What latency includes: all but loading, which measures the disk and not the model."""

_MOST_STRETCHES = 60
_MOST_BINS = 30


@dataclass(frozen=True, slots=True)
class Stretches:
    """A run cut into stretches of consecutive images.

    Attributes:
        start: (S,) place of a stretch's first image in the run, from 1.
        p5, p50, p95: (S,) percentiles of its images' latency in milliseconds.
        images: images a stretch; the last one may hold fewer.
    """

    start: NDArray[np.int64]
    p5: NDArray[np.float64]
    p50: NDArray[np.float64]
    p95: NDArray[np.float64]
    images: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of images between consecutive edges, in milliseconds.

    The last bin also holds everything above its upper edge; ``beyond`` says how many images.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    beyond: int


def latencies(samples: pa.Table) -> NDArray[np.float64]:
    """(N,) milliseconds an image from pre-processing to post-processing, of ``schemas.SAMPLES``."""
    columns = [
        samples[f"{stage}_ms"].to_numpy(zero_copy_only=False).astype(np.float64)
        for stage in LATENCY_STAGES
    ]
    total: NDArray[np.float64] = np.nansum(columns, axis=0)
    return total


def stretches(latency: NDArray[np.float64]) -> Stretches:
    """Percentiles along the run: a machine that slows down under load shows as a slope."""
    size = max(1, -(-len(latency) // _MOST_STRETCHES))
    starts = np.arange(0, len(latency), size)
    parts = [latency[start : start + size] for start in starts]
    p5, p50, p95 = np.array([np.percentile(part, [5, 50, 95]) for part in parts]).T
    return Stretches(starts + 1, p5, p50, p95, size)


def histogram(latency: NDArray[np.float64]) -> Histogram:
    """Counts in equal bins up to a little above the 99th percentile."""
    low, high = float(latency.min()), float(np.percentile(latency, 99))
    if high - low < 1e-9:
        low, high = low * 0.95, max(high * 1.05, low + 1e-3)
    bins = int(min(_MOST_BINS, max(5, np.sqrt(len(latency)))))
    edges = np.linspace(low, high + (high - low) / bins, bins + 1)
    counts, _ = np.histogram(np.minimum(latency, edges[-1]), edges)
    return Histogram(edges, counts.astype(np.int64), int((latency > edges[-1]).sum()))

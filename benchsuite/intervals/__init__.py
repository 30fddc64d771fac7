"""Confidence intervals of a metric's values, and paired comparisons, from match tables alone.

The images are taken for a sample of a larger population; an interval is of the value that all of
that population would give. It is found by evaluating random halves of the images again
(``half_samples`` says how, and why not by drawing images with replacement). Any
``benchsuite.protocols.Metric`` will do; a ``ResampledMetric`` is faster.
"""

from __future__ import annotations

from benchsuite.intervals.comparison import Difference, compare
from benchsuite.intervals.interval import Interval, intervals

__all__ = ["Difference", "Interval", "compare", "intervals"]

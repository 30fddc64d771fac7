"""Where truth and predictions come in, whatever a caller has them as."""

from benchsuite.columns.prediction_sources import (
    begin_predictions,
    read_counted_predictions,
    read_predictions,
)
from benchsuite.columns.truth_sources import read_truth, truth_warnings

__all__ = [
    "begin_predictions",
    "read_counted_predictions",
    "read_predictions",
    "read_truth",
    "truth_warnings",
]

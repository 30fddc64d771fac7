"""benchsuite: takes a detector to a dataset and comes back with a number one can trust.

The names below are the public surface. The specs cost nothing to import; records and protocols
bring NumPy and PyArrow and are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchsuite._version import __version__
from benchsuite.contract import CONTRACT_VERSION
from benchsuite.specs import (
    Category,
    CommandSpec,
    DatasetSpec,
    FormatSpec,
    KeypointLayout,
    LossSpec,
    MetricSpec,
    ModelSpec,
    RecipeSpec,
    TransformSpec,
)

if TYPE_CHECKING:
    from benchsuite.columns.truth import build_truth
    from benchsuite.evaluator import Evaluation, Evaluator, evaluate
    from benchsuite.hookspecs import hookimpl
    from benchsuite.protocols import (
        DatasetRequest,
        ModelRequest,
        ParameterGroup,
        Predictions,
        PredictionsRequest,
        Scores,
        Truth,
        TruthRequest,
        WriteRequest,
    )
    from benchsuite.records import RLE, Image, ImageRecord, PanopticMap, Prediction, Segment
    from benchsuite.targets import Target

_LAZY = {
    "hookimpl": "hookspecs",
    "DatasetRequest": "protocols",
    "ModelRequest": "protocols",
    "ParameterGroup": "protocols",
    "Predictions": "protocols",
    "PredictionsRequest": "protocols",
    "Scores": "protocols",
    "Truth": "protocols",
    "TruthRequest": "protocols",
    "WriteRequest": "protocols",
    "RLE": "records",
    "Image": "records",
    "ImageRecord": "records",
    "PanopticMap": "records",
    "Prediction": "records",
    "Segment": "records",
    "Target": "targets",
    "build_truth": "columns.truth",
    "Evaluation": "evaluator",
    "Evaluator": "evaluator",
    "evaluate": "evaluator",
}

__all__ = [
    "CONTRACT_VERSION",
    "Category",
    "CommandSpec",
    "DatasetRequest",
    "DatasetSpec",
    "Evaluation",
    "Evaluator",
    "FormatSpec",
    "Image",
    "ImageRecord",
    "KeypointLayout",
    "LossSpec",
    "MetricSpec",
    "ModelRequest",
    "ModelSpec",
    "PanopticMap",
    "ParameterGroup",
    "Prediction",
    "Predictions",
    "PredictionsRequest",
    "RLE",
    "RecipeSpec",
    "Scores",
    "Segment",
    "Target",
    "TransformSpec",
    "Truth",
    "TruthRequest",
    "WriteRequest",
    "__version__",
    "build_truth",
    "evaluate",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"benchsuite.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'benchsuite' has no attribute {name!r}")

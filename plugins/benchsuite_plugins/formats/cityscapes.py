"""Cityscapes' own formats: its folder as truth, and the two kinds of results it evaluates."""

from __future__ import annotations

from collections.abc import Mapping

from benchsuite.columns.arrow_arrays import is_present
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest, WriteRequest
from benchsuite_plugins.datasets.cityscapes.dataset import CityscapesDataset
from benchsuite_plugins.formats import cityscapes_instances, cityscapes_label_maps


def read_truth(request: TruthRequest) -> Truth:
    """Truth of a split (default: ``val``), for a task (default: ``segm``).

    Raises:
        DataMissingError: a file is not there.
        InputError: a file cannot be read.
    """
    task = request.task or "segm"
    return CityscapesDataset(request.path, request.split or "val", (task,)).truth(task)


def read_predictions(request: PredictionsRequest) -> Predictions:
    """Label maps for ``semantic``, instances for ``segm``; else instances where there are texts."""
    task = request.task or ("segm" if any(request.path.rglob("*.txt")) else "semantic")
    if task == "semantic":
        return cityscapes_label_maps.read_predictions(request)
    return cityscapes_instances.read_predictions(request)


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Label maps for ``semantic``, instances for ``segm``; else what there is."""
    maps = predictions.images
    has_maps = is_present(maps["semantic_png"]).any() or is_present(maps["semantic_path"]).any()
    has_instances = len(predictions.instances) > 0
    if request.task == "semantic" or (not request.task and has_maps and not has_instances):
        return cityscapes_label_maps.write_predictions(predictions, request)
    lost = dict(cityscapes_instances.write_predictions(predictions, request))
    return lost | ({"semantic maps": len(maps)} if has_maps else {})

"""cityscapesscripts' ``evalPixelLevelSemanticLabeling`` as an official scorer."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.cityscapes.official_script import evaluator, load_script
from benchsuite_plugins.metrics.cityscapes.pixel_scores import Values, per_class
from benchsuite_plugins.metrics.cityscapes.scored_images import scored_images
from benchsuite_plugins.metrics.cityscapes.truth_maps import MapColumn

_AVERAGES = {
    "IoU": "averageScoreClasses",
    "iIoU": "averageScoreInstClasses",
    "IoU_category": "averageScoreCategories",
    "iIoU_category": "averageScoreInstCategories",
}


class OfficialPixels:
    """The official script on files written for it: see ``benchsuite.protocols.OfficialScorer``."""

    @property
    def evaluator(self) -> str:
        return evaluator()

    def score(self, truth: Truth, predictions: Predictions) -> Scores:
        """The averages over labels and categories and the values of each.

        Without instance maps there are no values of objects.

        Raises:
            InputError: the script refuses something; a map is missing.
            PluginError: cityscapesscripts cannot be used.
        """
        script = load_script("evalPixelLevelSemanticLabeling")
        of_truth, of_predictions = scored_images(truth, predictions)
        labels = MapColumn.of(of_truth, "semantic", truth.source)
        instances = MapColumn.of(of_truth, "instance", truth.source)
        predicted = MapColumn.of(of_predictions, "semantic", predictions.source)
        of_objects = bool(instances.present.all())
        script.args.evalInstLevelScore = of_objects
        with TemporaryDirectory() as name:
            folder = Path(name)
            truth_files, prediction_files = [], []
            for row in range(len(labels)):
                truth_files.append(str(labels.file(row, folder, f"{row}_labelIds.png")))
                prediction_files.append(str(predicted.file(row, folder, f"{row}_prediction.png")))
                if of_objects:
                    # The script looks for it under the label map's name.
                    instances.file(row, folder, f"{row}_instanceIds.png")
            found = script.evaluateImgLists(prediction_files, truth_files, script.args)
        return _scores(found, of_objects)


def _scores(found: dict[str, Any], of_objects: bool) -> Scores:
    measured = [name for name in _AVERAGES if of_objects or not name.startswith("i")]
    metrics = {name: float(found[_AVERAGES[name]]) for name in measured}
    values: Values = {
        "IoU": found["classScores"],
        "iIoU": found["classInstScores"],
        "IoU_category": found["categoryScores"],
        "iIoU_category": found["categoryInstScores"],
    }
    table = per_class({name: values[name] if name in measured else {} for name in _AVERAGES})
    return Scores(
        {
            name: -1.0 if name not in measured or math.isnan(metrics[name]) else metrics[name]
            for name in _AVERAGES
        },
        table,
    )


def create() -> OfficialPixels:
    """The official scorer."""
    return OfficialPixels()

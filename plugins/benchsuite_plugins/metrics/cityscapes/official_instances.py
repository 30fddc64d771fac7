"""cityscapesscripts' ``evalInstanceLevelSemanticLabeling`` as an official scorer."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from PIL import Image

from benchsuite.columns.arrow_arrays import from_rows
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite.schemas import PER_CLASS
from benchsuite_kernels.columns import rle
from benchsuite_plugins.datasets.cityscapes.labels import WITH_INSTANCES
from benchsuite_plugins.metrics.cityscapes.official_script import evaluator, load_script
from benchsuite_plugins.metrics.cityscapes.scored_images import scored_images
from benchsuite_plugins.metrics.cityscapes.truth_maps import MapColumn


class OfficialInstances:
    """The official script on files written for it: see ``benchsuite.protocols.OfficialScorer``."""

    @property
    def evaluator(self) -> str:
        return evaluator()

    def score(self, truth: Truth, predictions: Predictions) -> Scores:
        """AP and AP50 over all labels and of each.

        Raises:
            InputError: the script refuses something; a mask is missing or malformed.
            PluginError: cityscapesscripts cannot be used.
        """
        script = load_script("evalInstanceLevelSemanticLabeling")
        images, _ = scored_images(truth, predictions)
        maps = MapColumn.of(images, "instance", truth.source)
        with TemporaryDirectory() as name:
            folder = Path(name).resolve()
            truth_files = [str(maps.file(row, folder)) for row in range(len(maps))]
            prediction_files = _write(predictions.instances, maps.image_ids, folder)
            args = script.args
            args.predictionPath = str(folder)
            script.setInstanceLabels(args)
            found = script.matchGtWithPreds(
                prediction_files, truth_files, script.instances2dict(truth_files), args
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
            averages = script.computeAverages(script.evaluateMatches(found, args), args)
        return _scores(averages)


def _write(instances: pa.Table, image_ids: Sequence[int], folder: Path) -> list[str]:
    """A text file an image, naming the masks on it; returns their paths."""
    lines: dict[int, list[str]] = {image_id: [] for image_id in image_ids}
    columns = ["image_id", "prediction", "category_id", "score", "segmentation"]
    for row in instances.select(columns).sort_by("prediction").to_pylist():
        mask = rle.decode(row["segmentation"]["counts"], row["segmentation"]["size"])
        name = f"{row['prediction']}.png"
        Image.fromarray(mask * 255).save(folder / name, compress_level=1)
        lines[row["image_id"]].append(f"{name} {row['category_id']} {row['score']!r}\n")
    paths = []
    for image_id, of_image in lines.items():
        paths.append(str(folder / f"{image_id}.txt"))
        Path(paths[-1]).write_text("".join(of_image))
    return paths


def _scores(averages: dict[str, Any]) -> Scores:
    metrics = {"AP": float(averages["allAp"]), "AP50": float(averages["allAp50%"])}
    rows = [
        {"category_id": label.id, "metric": name, "value": None if math.isnan(value) else value}
        for label in WITH_INSTANCES
        for name, value in (
            ("AP", float(averages["classes"][label.name]["ap"])),
            ("AP50", float(averages["classes"][label.name]["ap50%"])),
        )
    ]
    return Scores(
        {name: -1.0 if math.isnan(value) else value for name, value in metrics.items()},
        from_rows(rows, PER_CLASS),
    )


def create() -> OfficialInstances:
    """The official scorer."""
    return OfficialInstances()

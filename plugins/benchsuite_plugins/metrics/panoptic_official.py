"""The official scorer of panoptic maps: panopticapi where it is installed, else cityscapesscripts.

Both hold the same code for the protocol, and cityscapesscripts is on the package registry.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchsuite.protocols import Predictions, Scores, Truth

_MODULES = {
    "panopticapi": "panopticapi.evaluation",
    "cityscapesscripts": "cityscapesscripts.evaluation.evalPanopticSemanticLabeling",
}


class PanopticOfficial:
    """``pq_compute_single_core`` and ``pq_average``, as a ``benchsuite.protocols.OfficialScorer``.

    In a single process and by ascending image id: how images are divided among processes changes
    the last digits of the official numbers.
    """

    def __init__(self) -> None:
        self._package = "panopticapi" if find_spec("panopticapi") else "cityscapesscripts"

    @property
    def evaluator(self) -> str:
        return f"{self._package} {version(self._package)}"

    def score(self, truth: Truth, predictions: Predictions) -> Scores:
        """The means alone. Whatever the package raises is raised."""
        module = import_module(_MODULES[self._package])
        categories = {
            category.id: {"id": category.id, "name": category.name, "isthing": category.isthing}
            for category in truth.categories
        }
        with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            predicted = _annotations(predictions.images, Path(folder) / "prediction")
            wanted = _annotations(truth.images, Path(folder) / "truth")
            of_image = {annotation["image_id"]: annotation for annotation in predicted}
            pairs = sorted(
                (
                    (annotation, of_image[annotation["image_id"]])
                    for annotation in wanted
                    if annotation["image_id"] in of_image
                ),
                key=lambda pair: pair[0]["image_id"],
            )
            # File names are whole paths, beside which the folder does not count.
            found = module.pq_compute_single_core(0, pairs, "", "", categories)
        return Scores(_means(found, categories))


def create() -> PanopticOfficial:
    """The scorer."""
    return PanopticOfficial()


def _annotations(images: Any, folder: Path) -> Sequence[dict[str, Any]]:
    """A panoptic file's annotations; maps that are in memory are written to the folder."""
    folder.mkdir()
    columns = ["image_id", "panoptic_png", "panoptic_path", "segments"]
    annotations = []
    for row in images.select(columns).to_pylist():
        path = row["panoptic_path"]
        if row["panoptic_png"] is not None:
            written = folder / f"{row['image_id']}.png"
            written.write_bytes(row["panoptic_png"])
            path = str(written)
        if path is not None:
            annotations.append(
                {
                    "image_id": row["image_id"],
                    "file_name": str(Path(path).absolute()),
                    "segments_info": row["segments"],
                }
            )
    return annotations


def _means(found: Any, categories: dict[int, dict[str, Any]]) -> dict[str, float]:
    """Of all categories, things and stuff, where any of them counts: else there is no mean."""
    means: dict[str, float] = {}
    for suffix, things in (("", None), ("_th", True), ("_st", False)):
        counted = [
            found[category_id]
            for category_id, category in categories.items()
            if things in (None, category["isthing"])
        ]
        if any(each.tp + each.fp + each.fn for each in counted):
            values, _ = found.pq_average(categories, things)
            means |= {f"{name.upper()}{suffix}": float(values[name]) for name in ("pq", "sq", "rq")}
    return means

"""Writing YOLO text labels and detections: see ``yolo_labels`` for the lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import is_present, to_numpy
from benchsuite.protocols import Predictions, Truth, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_kernels.columns import rle
from benchsuite_plugins.formats.losses import (
    changed_rows,
    masks_of,
    prediction_losses,
    truth_losses,
)
from benchsuite_plugins.formats.mask_outlines import outline
from benchsuite_plugins.formats.written_images import (
    flat_names,
    folders_lost,
    image_records,
    require_sizes,
    rows_by_image,
)
from benchsuite_plugins.formats.yolo_labels import image_scales, normalised_boxes, pixel_boxes


def write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]:
    """Writes ``labels/SPLIT`` with a file for each image, and ``data.yaml``.

    The images are not copied; ``data.yaml`` looks for them in ``images/SPLIT``. For the task
    ``segm`` masks are written as their outlines, in place of boxes. Crowd regions and difficult
    objects, which are not to be found, are left out: YOLO has no such thing. So are objects without
    a box or mask to write.

    Returns:
        What YOLO cannot hold, counted.

    Raises:
        InputError: two images would share a file, or an image's size is not known.
    """
    instances = truth.instances
    crowd, difficult = to_numpy(instances["iscrowd"]), to_numpy(instances["difficult"])
    lines = _Lines.of(truth.images, instances, truth.source, request)
    chosen = lines.there & ~crowd & ~difficult
    lines.write(request.path / "labels" / request.split, chosen, request)
    (request.path / "data.yaml").write_text(
        _data_file(truth.categories, request.split), encoding="utf-8"
    )
    own = {
        "objects without a shape": int((~lines.there).sum()),
        "crowd regions": int(crowd.sum()),
        "difficult objects": int((difficult & ~crowd).sum()),
        **lines.losses(chosen),
    }
    lost = truth_losses(truth, lines.kept, written=chosen)
    return lost | {noun: count for noun, count in own.items() if count}


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes a file for each image, its lines ending with the score; masks as ``write_truth``.

    Returns:
        What YOLO cannot hold, counted. Detections without a box or mask to write are left out.

    Raises:
        InputError: two images would share a file, or an image's size is not known.
    """
    instances = predictions.instances.sort_by("prediction")
    lines = _Lines.of(predictions.images, instances, predictions.source, request)
    lines.write(request.path, lines.there, request)
    own = {
        "detections without a shape": int((~lines.there).sum()),
        **lines.losses(lines.there),
    }
    lost = prediction_losses(predictions, lines.kept)
    return lost | {noun: count for noun, count in own.items() if count}


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of all objects, and what they are read as.

    Attributes:
        records: the images.
        names: of their label files.
        instances: the objects.
        scales: (N, 2), width and height of each object's image.
        normalised: (N, 4), boxes as they are written.
        outlines: object to its outline, (K, 2) in pixels, where that is written.
        there: (N,), whether an object has something to write.
    """

    records: Sequence[ImageRecord]
    names: Sequence[str]
    instances: pa.Table
    scales: NDArray[np.float64]
    normalised: NDArray[np.float64]
    outlines: Mapping[int, NDArray[np.int64]]
    there: NDArray[np.bool_]

    @classmethod
    def of(
        cls, images: pa.Table, instances: pa.Table, source: str, request: WriteRequest
    ) -> _Lines:
        records = image_records(images)
        names = flat_names(records, source)
        require_sizes(records, source)
        row_of = {record.id: row for row, record in enumerate(records)}
        rows = [row_of[number] for number in to_numpy(instances["image_id"]).tolist()]
        scales = image_scales(records)[np.array(rows, np.int64)]
        outlines = _outlines(instances) if request.task == "segm" else {}
        there = is_present(instances["bbox"])
        there[[*outlines]] = True
        normalised = normalised_boxes(to_numpy(instances["bbox"]), scales)
        return cls(records, names, instances, scales, normalised, outlines, there)

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns that are written."""
        return ("bbox", "segmentation") if self.outlines else ("bbox",)

    def write(self, folder: Path, chosen: NDArray[np.bool_], request: WriteRequest) -> None:
        """Write the chosen objects to a file for each image."""
        places = {category.id: place for place, category in enumerate(request.categories)}
        classes = [places[each] for each in to_numpy(self.instances["category_id"]).tolist()]
        scored = "score" in self.instances.column_names
        scores = to_numpy(self.instances["score"]).tolist() if scored else ()
        rows = rows_by_image(self.instances, chosen)
        folder.mkdir(parents=True)
        with request.progress("writing labels", len(self.records)) as shown:
            for name, record in zip(self.names, self.records):
                lines = []
                for row in rows.get(record.id, ()):
                    numbers = [*self._shape(row), *scores[row : row + 1]]
                    lines.append(f"{classes[row]} {' '.join(map(repr, numbers))}\n")
                (folder / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
                shown.advance(1)

    def _shape(self, row: int) -> list[float]:
        shape = self.normalised[row]
        if row in self.outlines:
            shape = (self.outlines[row] / self.scales[row]).ravel()
        numbers: list[float] = shape.tolist()
        return numbers

    def losses(self, chosen: NDArray[np.bool_]) -> dict[str, int]:
        """What of the chosen objects' boxes is read back as something else."""
        boxes = to_numpy(self.instances["bbox"])
        outlined = np.zeros(len(boxes), np.bool_)
        outlined[[*self.outlines]] = True
        masked = is_present(self.instances["segmentation"]) & chosen
        boxed = chosen & ~outlined
        moved = 0
        for row, points in self.outlines.items():
            low = points.min(axis=0)
            around = [*low, *(points.max(axis=0) - low)]
            moved += bool(chosen[row]) and bool((boxes[row] != around).any())
        return {
            "last digits of boxes": changed_rows(
                boxes[boxed], pixel_boxes(self.normalised, self.scales)[boxed]
            ),
            "boxes other than the masks'": moved,
            "empty masks": int((masked & ~outlined).sum()) if self.outlines else 0,
            "folders of images": folders_lost(self.records),
        }


def _outlines(instances: pa.Table) -> dict[int, NDArray[np.int64]]:
    """Row to outline, of the objects that have a mask with anything in it."""
    rows = np.flatnonzero(is_present(instances["segmentation"]))
    found = {}
    for row, mask in zip(rows.tolist(), masks_of(instances, rows)):
        counts, size = mask["counts"], (mask["size"][0], mask["size"][1])
        left, top, width, height = rle.to_bbox(counts, size)
        inside = rle.decode(counts, size)[top : top + height, left : left + width]
        points = outline(inside.astype(np.bool_))
        if len(points):
            found[row] = points + np.array([left, top])
    return found


def _data_file(categories: Sequence[Category], split: str) -> str:
    """A ``data.yaml``; names are quoted as JSON has it, which is YAML too."""
    names = "".join(
        f"  {place}: {json.dumps(category.name)}\n" for place, category in enumerate(categories)
    )
    return f"path: .\n{split}: images/{split}\nnames:\n{names}"

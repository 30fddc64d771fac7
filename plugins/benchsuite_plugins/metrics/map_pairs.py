"""The maps of truth and prediction of the images that are scored, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import binary_to_numpy, is_present, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.label_maps import Form, MapError, PairCounts, Source, count_pairs
from benchsuite_kernels.threads import evaluation_threads

Rows: TypeAlias = NDArray[np.int64]

FORMS: dict[str, Form] = {"semantic": "grey", "panoptic": "colour"}


@dataclass(frozen=True, slots=True)
class MapSide:
    """One side's maps.

    Attributes:
        kind: ``"semantic"`` or ``"panoptic"``: which of the table's maps they are.
        rows: (I,), where each image is in the side's table.
        sources: I maps, as bytes or path.
        file: where the side is from, for messages.
    """

    kind: str
    rows: Rows
    sources: Sequence[Source]
    file: str


@dataclass(frozen=True, slots=True)
class MapPairs:
    """Images that have maps on both sides, by ascending id.

    Attributes:
        image_ids: (I,).
    """

    image_ids: Rows
    truths: MapSide
    predictions: MapSide

    @classmethod
    def of(cls, truth: Truth, predictions: Predictions, kind: str) -> MapPairs:
        """The images that have a row in ``predictions.images`` and a map in the truth.

        Truth of semantic maps may be given as panoptic maps with their segments. Images without a
        map in the truth are not scored, as those are not that a truth file does not list.

        Args:
            kind: of the predicted maps, ``"semantic"`` or ``"panoptic"``.

        Raises:
            InputError: an image is predicted twice or unknown, or has no map although the truth has
                one; or there is not one map of truth.
        """
        predicted_ids = to_numpy(predictions.images["image_id"])
        truth_ids = to_numpy(truth.images["image_id"])
        order = np.argsort(predicted_ids, kind="stable")
        ids = predicted_ids[order]
        repeated = np.flatnonzero(ids[1:] == ids[:-1])
        if len(repeated):
            raise _image_error(predictions.source, ids[repeated[0]], "is predicted more than once")
        ascending = np.argsort(truth_ids, kind="stable")
        places = np.searchsorted(truth_ids[ascending], ids)
        known = places < len(truth_ids)
        known[known] = truth_ids[ascending][places[known]] == ids[known]
        if not known.all():
            of_truth = truth.source or "the dataset"
            raise _image_error(
                predictions.source, ids[known.argmin()], f"is not among the images of {of_truth}"
            )
        truth_rows = ascending[places]
        truth_kind = _truth_kind(truth, kind)
        there = _has_map(truth.images, truth_kind)[truth_rows]
        if len(ids) and not there.any():
            raise InputError(
                f"none of the {len(ids)} images that were run has a {kind} map",
                file=truth.source or None,
            )
        missing = np.flatnonzero(there & ~_has_map(predictions.images, kind)[order])
        if len(missing):
            raise _image_error(predictions.source, ids[missing[0]], f"has no {kind} map")
        return cls(
            ids[there],
            _side(truth.images, truth_kind, truth_rows[there], truth.source),
            _side(predictions.images, kind, order[there], predictions.source),
        )

    def count(self) -> PairCounts:
        """Pixels of each pair of numbers. Raises ``InputError`` for a map that cannot be used."""
        with self.naming_maps():
            return count_pairs(
                self.truths.sources,
                self.predictions.sources,
                truth_form=FORMS[self.truths.kind],
                prediction_form=FORMS[self.predictions.kind],
                threads=evaluation_threads(),
            )

    @contextmanager
    def naming_maps(self) -> Iterator[None]:
        """Turns a ``MapError`` into the ``InputError`` that names the map."""
        try:
            yield
        except MapError as error:
            raise self.error(error.item, error.side, f"the map {error.problem}") from None

    def error(self, image: int, side: str, problem: str, segment: int | None = None) -> InputError:
        """The error that an image's map, or one of its segments, has a problem.

        Args:
            image: its place.
            side: ``"truth"`` or ``"prediction"``.
        """
        of_side = self.truths if side == "truth" else self.predictions
        source = of_side.sources[image]
        file = source if isinstance(source, str) else of_side.file or None
        record = f"{side} of image id {self.image_ids[image]}"
        if segment is not None:
            record += f", segment {segment}"
        return InputError(problem, file=file, record=record)


def _image_error(file: str, image_id: int, problem: str) -> InputError:
    return InputError(problem, file=file or None, record=f"image id {image_id}")


def _truth_kind(truth: Truth, kind: str) -> str:
    has_own = _has_map(truth.images, kind).any()
    return kind if has_own or kind == "panoptic" else "panoptic"


def _has_map(images: pa.Table, kind: str) -> NDArray[np.bool_]:
    return is_present(images[f"{kind}_png"]) | is_present(images[f"{kind}_path"])


def _side(images: pa.Table, kind: str, rows: Rows, file: str) -> MapSide:
    paths = images[f"{kind}_path"].to_pylist()
    column = images[f"{kind}_png"]
    in_memory = is_present(column)
    data, offsets = binary_to_numpy(column)
    view = data.data
    sources: list[Source] = [
        view[offsets[row] : offsets[row + 1]] if in_memory[row] else paths[row]
        for row in rows.tolist()
    ]
    return MapSide(kind, rows, sources, file)

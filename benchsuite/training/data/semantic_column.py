"""The semantic maps of a training set: where each is, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import binary_to_numpy, is_present, to_numpy
from benchsuite.errors import InputError
from benchsuite.training.data.ragged import Ragged
from benchsuite_kernels.columns.label_maps import Form, MapError, decode

IGNORED = -1
"""The label of pixels of no category."""


@dataclass(frozen=True, slots=True, eq=False)
class SemanticColumn:
    """Maps of I images, on disk or as PNG, of category ids or of panoptic segments.

    Attributes:
        form: how their numbers lie in a PNG, ``"grey"`` or ``"colour"``.
        paths, pngs: one of them an image; both empty where there is no map.
        numbers: what may stand in an image's map: a row an image, or one row for all.
        labels: the label of each number, in the same rows.
    """

    form: Form
    paths: Ragged
    pngs: Ragged
    numbers: Ragged
    labels: Ragged

    @classmethod
    def of(cls, images: pa.Table, labels: Mapping[int, int]) -> SemanticColumn | None:
        """The maps of a table of ``schemas.TRUTH_IMAGES``; ``None`` where it has none.

        Panoptic maps serve where there are no semantic ones.

        Args:
            labels: category id to label; other categories are ignored.
        """
        kind = next((k for k in ("semantic", "panoptic") if _present(images, k).any()), None)
        if kind is None:
            return None
        paths = Ragged(*binary_to_numpy(images[f"{kind}_path"]))
        pngs = Ragged(*binary_to_numpy(images[f"{kind}_png"]))
        ids = np.array(sorted(labels), np.int64)
        of_ids = np.array([labels[category] for category in ids.tolist()], np.int64)
        if kind == "semantic":
            one = np.array([len(ids)])
            numbers, meant = Ragged.of_lengths(ids, one), Ragged.of_lengths(of_ids, one)
            return cls("grey", paths, pngs, numbers, meant)
        segments = images["segments"].combine_chunks()
        listed = segments.flatten()
        found, categories = to_numpy(listed.field("id")), to_numpy(listed.field("category_id"))
        lengths = np.where(is_present(segments), np.diff(to_numpy(segments.offsets)), 0)
        numbers = Ragged.of_lengths(found, lengths)
        meant = Ragged.of_lengths(_looked_up(categories, ids, of_ids), lengths)
        return cls("colour", paths, pngs, numbers, meant)

    def take(self, rows: NDArray[np.integer[Any]]) -> SemanticColumn:
        """The maps of some images, in that order."""
        paths, pngs = self.paths.take(rows), self.pngs.take(rows)
        if self.form == "grey":
            return SemanticColumn(self.form, paths, pngs, self.numbers, self.labels)
        numbers, labels = self.numbers.take(rows), self.labels.take(rows)
        return SemanticColumn(self.form, paths, pngs, numbers, labels)

    def present(self) -> NDArray[np.bool_]:
        """(I,), whether an image has a map."""
        return (self.paths.lengths > 0) | (self.pngs.lengths > 0)

    def read(self, row: int, record: str) -> NDArray[np.int64]:
        """The map of an image, (H, W): labels, ``IGNORED`` where there is no category.

        Args:
            record: how messages name the image.

        Raises:
            InputError: there is no map, or it cannot be read.
        """
        path = self.paths.text(row)
        png = self.pngs[row].tobytes()
        if not path and not png:
            raise InputError("has no semantic map, and the model learns one", record=record)
        try:
            map_ = decode(png or path, self.form)
        except MapError as error:
            raise InputError(f"the map {error.problem}", file=path or None, record=record) from None
        place = 0 if self.form == "grey" else row
        return _labelled(map_, self.numbers[place], self.labels[place])


def _labelled(
    map_: NDArray[Any], numbers: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    if map_.dtype.itemsize <= 2:
        table = np.full(np.iinfo(map_.dtype).max + 1, IGNORED, np.int64)
        fits = (numbers >= 0) & (numbers < len(table))
        table[numbers[fits]] = labels[fits]
        labelled: NDArray[np.int64] = table[map_]
        return labelled
    # Segments are wide: a look-up where the number changes is a hundred times less than a pixel's.
    flat = map_.reshape(-1)
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    order = np.argsort(numbers)
    found = _looked_up(flat[starts].astype(np.int64), numbers[order], labels[order])
    return np.repeat(found, np.diff(starts, append=len(flat))).reshape(map_.shape)


def _looked_up(
    values: NDArray[np.int64], known: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The label of each value; ``IGNORED`` for one that is not known.

    Args:
        known: ascending.
    """
    if not len(known):
        return np.full(values.shape, IGNORED, np.int64)
    places = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.where(known[places] == values, labels[places], IGNORED)


def _present(images: pa.Table, kind: str) -> NDArray[np.bool_]:
    return is_present(images[f"{kind}_png"]) | is_present(images[f"{kind}_path"])

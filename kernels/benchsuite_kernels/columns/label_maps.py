"""Label maps in PNG files: read at speed, and counted against each other.

A map holds one number a pixel. In the form ``"grey"`` that is a grey value of 8 or 16 bits or an
index into a palette, as semantic maps have it; grey values of 2 and 4 bits are spread over 0 to
255, as Pillow does. In the form ``"colour"`` it is ``R + 256 G + 65536 B``, as in COCO's panoptic
maps, 8 bits each; alpha does not count.

A PNG is given as its bytes or as the path of its file. Files are read, decompressed and counted in
threads, and no more maps are held at a time than there are threads. The checksums of what is read
are checked; what is no sound PNG of the form is a ``MapError``, as is one of more than 2^28 pixels,
or of more pixels than its file's size can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns import label_maps_reference
from benchsuite_kernels.dispatch import native, tally

Source = bytes | bytearray | memoryview | str | PathLike[str]
Form = Literal["grey", "colour"]

_FORMS = {"grey": 0, "colour": 1}


class MapError(ValueError):
    """A map cannot be used.

    Attributes:
        item: which one of those that were given.
        side: ``"truth"`` or ``"prediction"``, where both were given.
        kind: which one of several kinds of truth it is of.
        problem: what is wrong with it, in a clause that has the map as its subject.
    """

    def __init__(self, problem: str, item: int = 0, side: str = "", kind: int = 0) -> None:
        self.item, self.side, self.kind, self.problem = item, side, kind, problem
        super().__init__(f"{side} map {item}: {problem}" if side else f"the map {problem}")


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Which numbers the pixels of truth and prediction have; P pairs of N images in all.

    Attributes:
        starts: (N + 1,) int64: the pairs of image ``i`` are ``starts[i]`` to ``starts[i + 1]``,
            ascending by truth, then prediction.
        truths, predictions: (P,) int64, the numbers.
        pixels: (P,) int64, at least 1.
    """

    starts: NDArray[np.int64]
    truths: NDArray[np.int64]
    predictions: NDArray[np.int64]
    pixels: NDArray[np.int64]

    @property
    def images(self) -> NDArray[np.int64]:
        """(P,) int64: the image of each pair."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def count_pairs(
    truths: Sequence[Source],
    predictions: Sequence[Source],
    *,
    truth_form: Form,
    prediction_form: Form,
    threads: int,
) -> PairCounts:
    """Count the pairs of numbers that each image's truth and prediction have at the same pixel.

    Args:
        truths, predictions: N maps each, of the same images in the same order.
        threads: how many to use at most; the result does not depend on it.

    Raises:
        MapError: a map cannot be read, or the two of an image differ in size. Of several, the first
            image's is named.
        ValueError: there is another number of maps on the one side than on the other.
    """
    return count_pairs_of_each(
        [truths],
        predictions,
        truth_forms=[truth_form],
        prediction_form=prediction_form,
        threads=threads,
    )[0]


def count_pairs_of_each(
    truths: Sequence[Sequence[Source]],
    predictions: Sequence[Source],
    *,
    truth_forms: Sequence[Form],
    prediction_form: Form,
    threads: int,
) -> list[PairCounts]:
    """``count_pairs`` of several kinds of truth against one prediction, each map read once.

    Args:
        truths: for each kind N maps, of the same images in the same order as the predictions.
        truth_forms: one a kind.

    Raises:
        MapError, ValueError: as ``count_pairs`` does.
    """
    for of_kind in truths:
        if len(of_kind) != len(predictions):
            raise ValueError(
                f"{len(of_kind)} maps of truth against {len(predictions)} predicted ones"
            )
    counted, failure = _serving("count_label_pairs").count_pairs(
        [_sources(of_kind) for of_kind in truths],
        _sources(predictions),
        [_FORMS[form] for form in truth_forms],
        _FORMS[prediction_form],
        threads,
    )
    if failure is not None:
        item, kind, problem = failure
        side = "truth" if kind < len(truths) else "prediction"
        raise MapError(problem, item, side, kind if side == "truth" else 0)
    return [PairCounts(*columns) for columns in counted]


@dataclass(frozen=True, slots=True)
class MapClasses:
    """Which class the numbers of maps are of; a number that is not listed is of none.

    Attributes:
        numbers: (L,) int64, ascending within a map's list.
        classes: (L,) int64, 0 to 65533; several numbers may be of one class.
        starts: (N + 1,) int64: the list of map ``i`` is ``starts[i]`` to ``starts[i + 1]``.
            ``None``: all of it is the list of every map.
    """

    numbers: NDArray[np.int64]
    classes: NDArray[np.int64]
    starts: NDArray[np.int64] | None = None

    def arrays(self) -> list[NDArray[np.int64]]:
        starts = [0, len(self.numbers)] if self.starts is None else self.starts
        columns = (np.asarray(starts), self.numbers, self.classes)
        return [np.ascontiguousarray(column, np.int64) for column in columns]


NOT_AT_BOUNDARY = 65535
"""What ``count_boundary_pairs`` has in place of a class."""


def count_boundary_pairs(
    truths: Sequence[Source],
    predictions: Sequence[Source],
    truth_classes: MapClasses,
    prediction_classes: MapClasses,
    *,
    truth_form: Form,
    prediction_form: Form,
    dilation_ratio: float,
    threads: int,
) -> PairCounts:
    """Count the pairs of classes that truth and prediction have at the boundaries of their regions.

    A pixel is at the boundary of its class's region where a pixel of another class (or of none), or
    the image's end, is within ``dilation_ratio`` times the image's diagonal, rounded, at least 1
    pixel, both in x and in y: the boundary region of Cheng et al., Boundary IoU, 2021, of each
    class's mask. Where truth or prediction is not at a boundary it has ``NOT_AT_BOUNDARY``, as the
    prediction has where it is of no class. Pixels for which both have it do not count, nor do those
    whose truth is of no class.

    Args:
        truths, predictions, truth_form, prediction_form, threads: as for ``count_pairs``.
        dilation_ratio: 0.02, in the paper.

    Returns:
        Counts of pairs of classes.

    Raises:
        MapError, ValueError: as for ``count_pairs``; or the lists of classes are malformed.
    """
    if len(truths) != len(predictions):
        raise ValueError(f"{len(truths)} maps of truth against {len(predictions)} predicted ones")
    columns, failure = _serving("count_boundary_pairs").count_boundary_pairs(
        _sources(truths),
        _sources(predictions),
        _FORMS[truth_form],
        _FORMS[prediction_form],
        truth_classes.arrays(),
        prediction_classes.arrays(),
        float(dilation_ratio),
        threads,
    )
    if failure is not None:
        item, side, problem = failure
        raise MapError(problem, item, "prediction" if side else "truth")
    return PairCounts(*columns)


def decode(source: Source, form: Form) -> NDArray[Any]:
    """The numbers of a map, (height, width): uint8, uint16 or, in colour, uint32.

    Raises:
        MapError: it cannot be read.
    """
    try:
        return _serving("decode_label_map").decode(_bytes(source), _FORMS[form])
    except MapError:
        raise
    except ValueError as error:
        raise MapError(str(error)) from None


def read_size(source: Source) -> tuple[int, int]:
    """Height and width of a map, of which no more than the header is read.

    Raises:
        MapError: it cannot be read, or does not begin as a PNG does.
    """
    try:
        height, width, _ = _serving("read_label_map_header").read_header(
            _bytes(source, label_maps_reference.HEADER_BYTES)
        )
    except MapError:
        raise
    except ValueError as error:
        raise MapError(str(error)) from None
    return height, width


class _Kernels(Protocol):
    """What the reference module and the extension both offer."""

    def count_pairs(
        self, firsts: Any, seconds: Any, first_forms: list[int], second_form: int, threads: int
    ) -> tuple[list[tuple[Any, ...]], tuple[int, int, str] | None]: ...
    def count_boundary_pairs(
        self,
        firsts: Any,
        seconds: Any,
        first_form: int,
        second_form: int,
        first_classes: Any,
        second_classes: Any,
        ratio: float,
        threads: int,
    ) -> tuple[tuple[Any, ...], tuple[int, int, str] | None]: ...
    def decode(self, png: bytes, form: int) -> NDArray[Any]: ...
    def read_header(self, png: bytes) -> tuple[int, int, int]: ...


def _serving(operator: str) -> _Kernels:
    extension = native()
    if extension is None:
        tally(operator, "reference")
        return label_maps_reference
    tally(operator, "c++")
    kernels: _Kernels = extension.label_maps
    return kernels


def _sources(sources: Sequence[Source]) -> list[bytes | bytearray | memoryview | str]:
    in_memory = (bytes, bytearray, memoryview)
    return [each if isinstance(each, in_memory) else fspath(each) for each in sources]


def _bytes(source: Source, most: int = -1) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source[:most] if most >= 0 else source)
    try:
        with Path(source).open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise MapError(f"cannot be read: {error.strerror or error}") from None

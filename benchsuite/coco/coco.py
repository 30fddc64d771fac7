"""COCO annotations and results in memory, with an index."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco import mask
from benchsuite.coco.file_rows import FileRows
from benchsuite.coco.lazy_dataset import HeldDataset, LazyDataset, Results, TruthFile
from benchsuite.coco.results import as_rle, complete, records_of_array
from benchsuite.coco.scanned_file import NotScannedError
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.json_file import JsonFile, json_type
from benchsuite.errors import InputError

Record = dict[str, Any]

_INDEX = ("anns", "imgs", "cats", "imgToAnns", "catToImgs")


class COCO:
    """COCO annotations, read and indexed as pycocotools does; ``showAnns`` and ``download`` are not
    there.

    Ids are whatever the file holds: integers of any size, or strings. Of a file records are made
    when one of the attributes below is first looked at; ``COCOeval`` needs none.

    Args:
        annotation_file: path of an annotation file; ``None``: ``dataset`` is set by hand, and
            ``createIndex`` called then.

    Attributes:
        dataset: the file's content.
        anns, cats, imgs: id to record.
        imgToAnns: image id to its annotations, in file order.
        catToImgs: category id to the image of each of its annotations.

    Raises:
        DataMissingError: there is no such file.
        InputError: it is no JSON object, or a record has no id.
    """

    def __init__(self, annotation_file: str | PathLike[str] | None = None) -> None:
        self._lazy: LazyDataset = HeldDataset({})
        if annotation_file is None:
            return
        print("loading annotations into memory...")
        start = time.time()
        file = FileBytes(Path(fspath(annotation_file)), what="annotation file")
        try:
            self._lazy = TruthFile(file)
        except NotScannedError:
            self.dataset = dict(JsonFile.parsed(file).object())
        print(f"Done (t={time.time() - start:0.2f}s)")
        if self.scanned_rows() is None:
            self.createIndex()
        else:
            print("creating index...\nindex created!")

    def createIndex(self) -> None:
        """Makes the index of ``dataset``."""
        print("creating index...")
        self._lazy = HeldDataset(self.dataset)
        for name in _INDEX:
            self.__dict__.pop(name, None)
            getattr(self, name)
        print("index created!")

    def scanned_rows(self) -> FileRows | None:
        """The annotations as columns, as long as nobody has looked at them as records."""
        seen = self.__dict__.keys() & {"dataset", "anns", "imgToAnns"}
        return None if seen else self._lazy.rows

    # --- records, made when they are first looked at ------------------------------------------

    @cached_property
    def dataset(self) -> dict[str, Any]:
        return self._lazy.dataset

    @cached_property
    def anns(self) -> dict[Any, Record]:
        return _by_id(self._lazy.annotations(), "annotations")

    @cached_property
    def imgs(self) -> dict[Any, Record]:
        return _by_id(self._lazy.section("images"), "images")

    @cached_property
    def cats(self) -> dict[Any, Record]:
        return _by_id(self._lazy.section("categories"), "categories")

    @cached_property
    def imgToAnns(self) -> defaultdict[Any, list[Record]]:
        index, annotations = defaultdict(list), self._lazy.annotations()
        for image, annotation in zip(_field(annotations, "image_id"), annotations):
            index[image].append(annotation)
        return index

    @cached_property
    def catToImgs(self) -> defaultdict[Any, list[Any]]:
        index, annotations = defaultdict(list), self._lazy.annotations()
        if self._lazy.section("categories"):
            fields = (_field(annotations, name) for name in ("category_id", "image_id"))
            for category, image in zip(*fields):
                index[category].append(image)
        return index

    def __deepcopy__(self, memo: dict[int, Any]) -> COCO:
        copied = memo[id(self)] = object.__new__(type(self))
        for name, value in self.__dict__.items():
            copied.__dict__[name] = copy.deepcopy(value, memo)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "dataset": self.dataset}
        return {**state, "_lazy": HeldDataset(self.dataset)}

    def info(self) -> None:
        """Prints what the file says of itself."""
        for key, value in self.dataset["info"].items():
            print(f"{key}: {value}")

    def getAnnIds(
        self,
        imgIds: Any = (),
        catIds: Any = (),
        areaRng: Sequence[float] = (),
        iscrowd: bool | None = None,
    ) -> list[Any]:
        """Ids of annotations, in file order within an image; an empty filter lets all pass.

        Args:
            imgIds, catIds: an id or several.
            areaRng: areas between these two, themselves excluded.
            iscrowd: whether they are crowds.
        """
        images, categories = _several(imgIds), _several(catIds)
        if len(images):
            found = (self.imgToAnns[image] for image in images if image in self.imgToAnns)
            annotations: Iterable[Record] = chain.from_iterable(found)
        else:
            annotations = self._lazy.annotations()
        if len(categories):
            wanted = set(categories)
            annotations = (one for one in annotations if one["category_id"] in wanted)
        if len(areaRng):
            low, high = areaRng[0], areaRng[1]
            annotations = (one for one in annotations if low < one["area"] < high)
        if iscrowd is not None:
            annotations = (one for one in annotations if one["iscrowd"] == iscrowd)
        return [one["id"] for one in annotations]

    def getCatIds(self, catNms: Any = (), supNms: Any = (), catIds: Any = ()) -> list[Any]:
        """Ids of categories, in file order, by name, supercategory and id."""
        filters = (("name", catNms), ("supercategory", supNms), ("id", catIds))
        categories: Iterable[Record] = self._lazy.section("categories")
        for field, given in filters:
            wanted = _several(given)
            if len(wanted):
                categories = [one for one in categories if one[field] in wanted]
        return [one["id"] for one in categories]

    def getImgIds(self, imgIds: Any = (), catIds: Any = ()) -> list[Any]:
        """Ids of images that are among ``imgIds`` and hold each of the categories."""
        images, categories = _several(imgIds), _several(catIds)
        if not len(images) and not len(categories):
            return list(self.imgs)
        ids = set(images)
        for place, category in enumerate(categories):
            holding = self.catToImgs[category]
            ids = set(holding) if place == 0 and not ids else ids.intersection(holding)
        return list(ids)

    def loadAnns(self, ids: Any = ()) -> list[Record]:
        """The annotations with these ids (one, or several)."""
        return [self.anns[identity] for identity in _several(ids)]

    def loadCats(self, ids: Any = ()) -> list[Record]:
        """The categories with these ids (one, or several)."""
        return [self.cats[identity] for identity in _several(ids)]

    def loadImgs(self, ids: Any = ()) -> list[Record]:
        """The images with these ids (one, or several)."""
        return [self.imgs[identity] for identity in _several(ids)]

    def loadRes(self, resFile: Any) -> COCO:
        """Detections on these images, as a ``COCO`` of their own.

        Args:
            resFile: path of a COCO results file, a list of its records (which are completed in
                place) or an array (N, 7): see ``loadNumpyAnnotations``.

        Raises:
            DataMissingError: there is no such file.
            InputError: it is no list of results, or one of them has an image that is not there, or
                lacks what the first one has.
        """
        images, categories = _sections(self)
        print("Loading and preparing results...")
        start = time.time()
        path, file, records = None, None, resFile
        if isinstance(resFile, (str, PathLike)):
            path = Path(fspath(resFile))
            file = FileBytes(path, what="results file")
        elif isinstance(resFile, np.ndarray):
            records = self.loadNumpyAnnotations(resFile)
        results = COCO()
        if file is not None:
            try:
                results._lazy = Results(self, images, categories, file=file)
            except NotScannedError:
                records = JsonFile.parsed(file).content
        if results.scanned_rows() is None:
            _check_records(records, {image["id"] for image in images}, path)
            complete(records, {image["id"]: image for image in images}, path)
            if records and "caption" in records[0]:
                captioned, categories = {record["image_id"] for record in records}, None
                images = [image for image in images if image["id"] in captioned]
            results._lazy = Results(self, images, categories, records=records)
        print(f"DONE (t={time.time() - start:0.2f}s)")
        print("creating index...\nindex created!")
        return results

    def loadNumpyAnnotations(self, data: NDArray[Any]) -> list[Record]:
        """(N, 7) of image id, x, y, width, height, score and category id, as records."""
        print("Converting ndarray to lists...")
        print(data.shape)
        return records_of_array(data)

    def annToRLE(self, ann: Record) -> Any:
        """An annotation's mask as an RLE.

        Raises:
            InputError: its segmentation is missing or malformed.
        """
        image = self.imgs[ann["image_id"]]
        try:
            return as_rle(ann["segmentation"], image["height"], image["width"])
        except KeyError as error:
            problem = f"the field {error} is missing"
        except (ValueError, TypeError) as error:
            problem = f"the field 'segmentation' is malformed: {error}"
        raise InputError(problem, record=f"annotation id {ann.get('id')}")

    def annToMask(self, ann: Record) -> NDArray[np.uint8]:
        """An annotation's mask: (H, W) uint8, 0 or 1.

        Raises:
            InputError: its segmentation is missing or malformed.
        """
        encoded = self.annToRLE(ann)
        try:
            return mask.decode(encoded)
        except ValueError as error:
            raise InputError(
                f"the field 'segmentation' is malformed: {error}",
                record=f"annotation id {ann.get('id')}",
            ) from None


def _several(ids: Any) -> Any:
    """The ids as a collection, where only one is given."""
    several = hasattr(ids, "__iter__") and hasattr(ids, "__len__") and not isinstance(ids, str)
    return ids if several else [ids]


def _by_id(records: Sequence[Record], name: str) -> dict[Any, Record]:
    return dict(zip(_field(records, "id", name), records))


def _field(records: Sequence[Record], field: str, name: str = "annotations") -> list[Any]:
    try:
        return [record[field] for record in records]
    except KeyError:
        place = next(place for place, record in enumerate(records) if field not in record)
        problem = f"the field {field!r} is missing"
        raise InputError(problem, record=f"{name}[{place}]") from None


def _sections(truth: Any) -> tuple[Sequence[Record], Sequence[Record] | None]:
    """The images and categories of a ``COCO`` object, which may be pycocotools'."""
    if isinstance(truth, COCO) and "dataset" not in truth.__dict__:
        return truth._lazy.section("images"), truth._lazy.section("categories")
    return truth.dataset["images"], truth.dataset.get("categories")


def _check_records(records: Any, known: set[Any], file: Path | None) -> None:
    """Raises ``InputError`` unless they are a list of results of known images."""
    if not isinstance(records, list):
        kind = json_type(records) if file else type(records).__name__
        raise InputError(f"results are a list of detections, not a {kind}", file=file)
    for place, record in enumerate(records):
        if not isinstance(record, dict) or "image_id" not in record:
            problem = "the field 'image_id' is missing"
        elif record["image_id"] in known:
            continue
        else:
            problem = f"image_id {record['image_id']!r} is not among the images"
        raise InputError(problem, file=file, record=f"detections[{place}]")

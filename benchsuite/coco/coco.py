"""COCO annotations and results in memory, with an index."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco import mask
from benchsuite.coco.results import as_rle, complete, records_of_array
from benchsuite.columns.json_file import JsonFile, json_type
from benchsuite.errors import InputError

Record = dict[str, Any]


class COCO:
    """COCO annotations, read and indexed as pycocotools does; ``showAnns`` and ``download`` are not
    there.

    Ids are whatever the file holds: integers of any size, or strings.

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
        self.dataset: dict[str, Any] = {}
        self.anns: dict[Any, Record] = {}
        self.cats: dict[Any, Record] = {}
        self.imgs: dict[Any, Record] = {}
        self.imgToAnns: defaultdict[Any, list[Record]] = defaultdict(list)
        self.catToImgs: defaultdict[Any, list[Any]] = defaultdict(list)
        if annotation_file is None:
            return
        print("loading annotations into memory...")
        start = time.time()
        file = JsonFile.read(Path(fspath(annotation_file)), what="annotation file")
        self.dataset = dict(file.object())
        print(f"Done (t={time.time() - start:0.2f}s)")
        self.createIndex()

    def createIndex(self) -> None:
        """Makes the index of ``dataset``."""
        print("creating index...")
        annotations: Sequence[Record] = self.dataset.get("annotations", [])
        self.anns = _by_id(annotations, "annotations")
        self.imgs = _by_id(self.dataset.get("images", []), "images")
        self.cats = _by_id(self.dataset.get("categories", []), "categories")
        self.imgToAnns, self.catToImgs = defaultdict(list), defaultdict(list)
        categorised = "categories" in self.dataset
        try:
            for annotation in annotations:
                self.imgToAnns[annotation["image_id"]].append(annotation)
                if categorised:
                    self.catToImgs[annotation["category_id"]].append(annotation["image_id"])
        except KeyError as error:
            raise _incomplete("annotations", annotations, error) from None
        print("index created!")

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
            annotations = self.dataset["annotations"]
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
        categories: Iterable[Record] = self.dataset["categories"]
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
        results = COCO()
        results.dataset["info"] = copy.deepcopy(self.dataset.get("info", {}))
        results.dataset["images"] = list(self.dataset["images"])
        print("Loading and preparing results...")
        start = time.time()
        file = None
        if isinstance(resFile, (str, PathLike)):
            file = fspath(resFile)
            records = JsonFile.read(Path(file), what="results file").content
        elif isinstance(resFile, np.ndarray):
            records = self.loadNumpyAnnotations(resFile)
        else:
            records = resFile
        if not isinstance(records, list):
            kind = json_type(records) if file else type(records).__name__
            raise InputError(f"results are a list of detections, not a {kind}", file=file)
        _check_images(records, set(self.getImgIds()), file)
        complete(records, self.imgs, file)
        if records and "caption" in records[0]:
            captioned = {one["image_id"] for one in records}
            images = [one for one in results.dataset["images"] if one["id"] in captioned]
            results.dataset["images"] = images
        elif "categories" in self.dataset:
            results.dataset["categories"] = copy.deepcopy(self.dataset["categories"])
        print(f"DONE (t={time.time() - start:0.2f}s)")
        results.dataset["annotations"] = records
        results.createIndex()
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
    try:
        return {record["id"]: record for record in records}
    except KeyError as error:
        raise _incomplete(name, records, error) from None


def _incomplete(name: str, records: Sequence[Record], error: KeyError) -> InputError:
    (field,) = error.args
    place = next(place for place, record in enumerate(records) if field not in record)
    return InputError(f"the field {field!r} is missing", record=f"{name}[{place}]")


def _check_images(records: Sequence[Record], known: set[Any], file: str | None) -> None:
    for place, record in enumerate(records):
        if not isinstance(record, dict) or "image_id" not in record:
            problem = "the field 'image_id' is missing"
        elif record["image_id"] in known:
            continue
        else:
            problem = f"image_id {record['image_id']!r} is not among the images"
        raise InputError(problem, file=file, record=f"detections[{place}]")

"""What a ``COCO`` object's records are made of, when somebody looks at them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from benchsuite.coco.file_rows import FileRows
from benchsuite.coco.results import Records, complete
from benchsuite.coco.scanned_file import scan_detections, scan_truth
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.json_file import JsonFile

Record = dict[str, Any]


class HeldDataset:
    """A dataset that is there: a dictionary as COCO's annotation files hold it.

    Attributes:
        dataset: it.
        rows: its annotations as columns, where no record was made of them yet.
    """

    rows: FileRows | None = None

    def __init__(self, dataset: dict[str, Any]) -> None:
        self.dataset = dataset

    def annotations(self) -> Sequence[Record]:
        records: Sequence[Record] = self.dataset.get("annotations", [])
        return records

    def section(self, name: str) -> Sequence[Record]:
        """The records of images or categories."""
        records: Sequence[Record] = self.dataset.get(name, [])
        return records


class TruthFile:
    """An annotation file that was scanned.

    Args:
        file: its bytes.

    Raises:
        NotScannedError: records have to be made at once.
    """

    def __init__(self, file: FileBytes) -> None:
        scanned = scan_truth(file)
        self._file = file
        self._sections = {"images": scanned.images, "categories": scanned.categories}
        self.rows: FileRows | None = scanned.rows

    @cached_property
    def dataset(self) -> dict[str, Any]:
        # The records that were handed out already stay what they are.
        return {**JsonFile.parsed(self._file).object(), **self._sections}

    def annotations(self) -> Sequence[Record]:
        records: Sequence[Record] = self.dataset["annotations"]
        return records

    def section(self, name: str) -> Sequence[Record]:
        return self._sections[name]

    def __deepcopy__(self, memo: dict[int, Any]) -> TruthFile:
        copied = object.__new__(TruthFile)
        copied._file, copied.rows = self._file, self.rows
        copied._sections = copy.deepcopy(self._sections, memo)
        if "dataset" in self.__dict__:
            copied.__dict__["dataset"] = copy.deepcopy(self.dataset, memo)
        return copied


class Results:
    """Detections on the images of a truth.

    Args:
        truth: the ``COCO`` object (or pycocotools') that they are on.
        images, categories: of it.
        file: what was scanned; ``None``: there are records.
        records: they, completed.

    Raises:
        NotScannedError: records have to be made of the file at once.
        InputError: an image is unknown, or a mask is malformed.
    """

    def __init__(
        self,
        truth: Any,
        images: Sequence[Record],
        categories: Sequence[Record] | None,
        *,
        file: FileBytes | None = None,
        records: Records | None = None,
    ) -> None:
        self._truth, self._images, self._categories = truth, list(images), categories
        self._file, self._records = file, records
        self.rows: FileRows | None = None
        if file is not None:
            self.rows = scan_detections(file, self._by_id())

    def _by_id(self) -> Mapping[Any, Record]:
        return {image["id"]: image for image in self._images}

    @cached_property
    def dataset(self) -> dict[str, Any]:
        dataset = {
            "info": copy.deepcopy(self._truth.dataset.get("info", {})),
            "images": self._images,
        }
        if self._categories is not None:
            dataset["categories"] = self.section("categories")
        dataset["annotations"] = self.annotations()
        return dataset

    def annotations(self) -> Sequence[Record]:
        if self._records is None:
            assert self._file is not None
            self._records = JsonFile.parsed(self._file).content
            complete(self._records, self._by_id(), self._file.path)
        return self._records

    @cached_property
    def _own_categories(self) -> Sequence[Record]:
        return copy.deepcopy(self._categories or [])

    def section(self, name: str) -> Sequence[Record]:
        return self._images if name == "images" else self._own_categories

    def __deepcopy__(self, memo: dict[int, Any]) -> Results:
        copied = object.__new__(Results)
        for name, value in self.__dict__.items():
            shared = name in ("_file", "rows")
            copied.__dict__[name] = value if shared else copy.deepcopy(value, memo)
        return copied


LazyDataset = HeldDataset | TruthFile | Results

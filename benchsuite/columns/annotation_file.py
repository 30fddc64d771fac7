"""COCO annotation files: scanned where they are what the scanner takes, else read by ``json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.json_file import JsonFile
from benchsuite.columns.record_checks import CheckedRecords
from benchsuite.columns.scanned_records import scanned_annotations
from benchsuite.columns.truth import TruthColumns
from benchsuite.errors import InputError
from benchsuite.specs import Category
from benchsuite_kernels.columns.coco_json import scan_annotations
from benchsuite_kernels.threads import evaluation_threads


class AnnotationFile:
    """An annotation file: an object with the arrays images, annotations and categories.

    Args:
        path: where it is.

    Attributes:
        path: where it is.
        sha256: of its bytes, as hexadecimal digits.

    Raises:
        DataMissingError: there is no such file.
        InputError: it cannot be read, is not JSON (line and column are named), or is an array.
    """

    def __init__(self, path: Path) -> None:
        file = FileBytes(path, what="annotation file")
        found = scan_annotations(file.buffer, file.size, evaluation_threads())
        self._annotations: CheckedRecords | None = None
        if found is None:
            self._rest = JsonFile.parsed(file)
            if isinstance(self._rest.content, list):
                raise InputError(
                    "holds a JSON array where an object is expected: it seems to hold predictions,"
                    " not truth",
                    file=path,
                )
        else:
            texts = {"images": found.images, "categories": found.categories}
            content = {name: json.loads(text) for name, text in texts.items() if text}
            self._annotations = scanned_annotations(found, file)
            self._rest = JsonFile(path, content, file.sha256)
        self.path, self.sha256 = path, self._rest.sha256

    def list_field(self, name: str) -> Sequence[Any]:
        """The array ``images`` or ``categories``. Raises ``InputError`` where there is none."""
        return self._rest.list_field(name)

    def truth(
        self,
        categories: Sequence[Category | Mapping[str, Any]] | None = None,
        *,
        named_by: str = "file_name",
        box_share: float | None = None,
    ) -> TruthColumns:
        """What the file holds, as columns.

        Args:
            categories: replace those of the file (which need not list any then).
            named_by: see ``benchsuite.columns.truth.image_names``.
            box_share: see ``TruthColumns``.

        Raises:
            InputError: a record lacks a field, holds something else than the field means, or refers
                to an image or category that is not there.
        """
        listed = self.list_field("categories") if categories is None else categories
        images = self.list_field("images")
        annotations = self._annotations
        return TruthColumns(
            images,
            self.list_field("annotations") if annotations is None else annotations,
            listed,
            source=str(self.path),
            named_by=named_by,
            box_share=box_share,
        )

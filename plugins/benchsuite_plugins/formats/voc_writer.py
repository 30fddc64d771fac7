"""Writing Pascal VOC annotations: see ``voc_annotations`` for the format."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import is_present, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Truth, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite_plugins.formats.class_names import write_class_names
from benchsuite_plugins.formats.losses import changed_rows, truth_losses
from benchsuite_plugins.formats.recognition import VOC_ANNOTATIONS
from benchsuite_plugins.formats.voc_annotations import CHALLENGE, SIDES
from benchsuite_plugins.formats.voc_categories import CATEGORIES
from benchsuite_plugins.formats.written_images import (
    flat_names,
    folders_lost,
    image_records,
    require_sizes,
    rows_by_image,
)

_KEPT = ("attributes", "bbox", "difficult")

# What XML 1.0 has no way to hold.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]:
    """Writes ``Annotations`` and a list of images; the images themselves are not copied.

    Categories other than VOC's are listed in ``classes.txt``, since not all need have objects.
    Crowd regions become difficult objects, which are not to be found either.

    Returns:
        What VOC cannot hold, counted. Objects without a box are left out.

    Raises:
        InputError: two images would share a file, an image's size is not known, or a name holds a
            control character.
    """
    records = image_records(truth.images)
    names = flat_names(records, truth.source)
    require_sizes(records, truth.source)
    categories = {each.id: _xml_text(each.name, truth.source) for each in truth.categories}
    folder, lists = request.path / VOC_ANNOTATIONS, request.path / "ImageSets" / "Main"
    folder.mkdir(parents=True)
    lists.mkdir(parents=True)

    instances = truth.instances
    boxes, written = to_numpy(instances["bbox"]), is_present(instances["bbox"])
    edges = voc_edges(boxes)
    crowd = to_numpy(instances["iscrowd"])
    difficult = crowd | to_numpy(instances["difficult"])
    labels = to_numpy(instances["category_id"]).tolist()
    rows = rows_by_image(instances, written)
    challenges = _challenges(truth)
    with request.progress("writing annotations", len(records)) as shown:
        for name, record in zip(names, records):
            objects = [
                _object(categories[labels[row]], bool(difficult[row]), edges[row].tolist())
                for row in rows.get(record.id, ())
            ]
            head = _head(record, challenges.get(record.id), truth.source)
            text = f"{head}{''.join(objects)}</annotation>\n"
            (folder / f"{name}.xml").write_text(text, encoding="utf-8")
            shown.advance(1)
    listed = "".join(f"{name}\n" for name in names)
    (lists / f"{request.split}.txt").write_text(listed, encoding="utf-8")
    if truth.categories != CATEGORIES:
        write_class_names(request.path, truth.categories)
    lost = truth_losses(truth, _KEPT, written=written, images_by_name=False)
    own = {
        "objects without a box": int((~written).sum()),
        "last digits of boxes": changed_rows(boxes[written], read_edges(edges[written])),
        "crowd flags (difficult now)": int(crowd.sum()),
        "attributes of images": _attribute_count(truth) - len(challenges),
        "folders of images": folders_lost(records),
    }
    return lost | {noun: count for noun, count in own.items() if count}


def voc_edges(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) ``xmin, ymin, xmax, ymax`` counted from 1, of ``x, y, width, height``."""
    return np.column_stack([boxes[:, :2] + 1, boxes[:, :2] + boxes[:, 2:]])


def read_edges(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) what ``voc_edges`` was made of, as the reader computes it."""
    corners = edges[:, :2] - 1
    return np.column_stack([corners, edges[:, 2:] - corners])


def _challenges(truth: Truth) -> dict[int, str]:
    """Image id to the challenge that is all that is known of the image."""
    found = {}
    ids, attributes = truth.images["image_id"].to_pylist(), truth.images["attributes"].to_pylist()
    for number, text in zip(ids, attributes):
        known = json.loads(text) if text else None
        if isinstance(known, dict) and [*known] == ["challenge"]:
            challenge = known["challenge"]
            if isinstance(challenge, str) and CHALLENGE.fullmatch(challenge):
                found[number] = challenge
    return found


def _attribute_count(truth: Truth) -> int:
    return int(is_present(truth.images["attributes"]).sum())


def _head(record: ImageRecord, challenge: str | None, source: str) -> str:
    folder = f"  <folder>{challenge}</folder>\n" if challenge else ""
    name = _xml_text(PurePosixPath(record.file_name).name, source)
    return (
        f"<annotation>\n{folder}  <filename>{name}</filename>\n"
        f"  <size>\n    <width>{record.width}</width>\n    <height>{record.height}</height>\n"
        "    <depth>3</depth>\n  </size>\n"
    )


def _object(name: str, difficult: bool, edges: Sequence[float]) -> str:
    sides = "".join(f"      <{tag}>{plain(side)}</{tag}>\n" for tag, side in zip(SIDES, edges))
    return (
        f"  <object>\n    <name>{name}</name>\n    <difficult>{int(difficult)}</difficult>\n"
        f"    <bndbox>\n{sides}    </bndbox>\n  </object>\n"
    )


def plain(number: float) -> str:
    """The shortest text that is read as the number: whole numbers without a point."""
    return repr(int(number)) if number.is_integer() else repr(number)


def _xml_text(text: str, source: str) -> str:
    if _UNWRITABLE.search(text):
        raise InputError(f"the name {text!r} holds a character that XML cannot hold", file=source)
    return escape(text)

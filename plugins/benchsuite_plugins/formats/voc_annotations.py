"""Pascal VOC annotations: one XML file an image, boxes in pixels counted from 1.

A box ``xmin = 1, xmax = W`` covers an image of width ``W``: both are pixels inside the box. So 1 is
taken off ``xmin`` and ``ymin``, and ``xmax`` and ``ymax`` stay, as in Detectron2. Of an object its
name, box and ``difficult`` are read; pose, truncation and parts are not. The folder's name, if it
is that of a challenge, becomes the image's attribute ``challenge``.

``voc_writer`` writes such files. Everingham et al., The Pascal Visual Object Classes (VOC)
Challenge, 2010.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Truth, TruthRequest
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_plugins.formats.class_names import listed_categories, numbered
from benchsuite_plugins.formats.image_files import by_stem, find_images, image_sizes
from benchsuite_plugins.formats.image_names import image_ids
from benchsuite_plugins.formats.label_tables import truth_of
from benchsuite_plugins.formats.safe_xml import Element, read_xml
from benchsuite_plugins.formats.text_file import line_error, numbers, shortened
from benchsuite_plugins.formats.voc_categories import CATEGORIES
from benchsuite_plugins.formats.voc_folder import VocFolder

CHALLENGE = re.compile("VOC20[0-9]{2}")

SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class VocObject:
    """One object of an annotation file.

    Attributes:
        name: of its category.
        box: x, y, width and height in pixels.
        difficult: whether it is neither to be found nor wrong to find.
        line: where it begins.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool
    line: int


@dataclass(frozen=True, slots=True)
class VocAnnotation:
    """What an annotation file says.

    Attributes:
        challenge: which challenge it is of (``VOC2007``); empty where it does not say.
        suffix: the image's ending (``.jpg``).
        size: width and height; ``None`` where the file does not say.
        objects: in file order.
    """

    challenge: str
    suffix: str
    size: tuple[int, int] | None
    objects: tuple[VocObject, ...]


def read_truth(request: TruthRequest) -> Truth:
    """Truth of a folder of annotations.

    Where no categories are given, they are those of ``classes.txt``, if it is there, else VOC's
    twenty if the objects are of no others, else the names that occur, by name, with ids from 1.
    See ``image_names.image_ids`` for ids of images.

    Raises:
        DataMissingError: an annotation file is not there, or an image that a size is read from.
        InputError: a file is malformed, or an object of an unknown category; names file and line.
        UsageError: the split is not known.
    """
    folder = VocFolder.at(request.path)
    names = folder.image_names(request.split)
    annotations = []
    with request.progress("reading annotations", len(names)) as shown:
        for name in names:
            annotations.append(read_annotation(folder.annotations / f"{name}.xml"))
            shown.advance(1)
    folders = (request.path, folder.annotations.parent)
    listed = next(filter(None, map(listed_categories, folders)), ())
    categories = request.categories or listed or _categories(annotations)
    places = {category.name: place for place, category in enumerate(categories)}
    image_rows, category_rows, boxes, difficult = [], [], [], []
    for row, annotation in enumerate(annotations):
        for each in annotation.objects:
            if each.name not in places:
                raise line_error(
                    folder.annotations / f"{names[row]}.xml",
                    each.line,
                    f"the category {shortened(each.name)} is not known",
                )
            image_rows.append(row)
            category_rows.append(places[each.name])
            boxes.append(each.box)
            difficult.append(each.difficult)
    return truth_of(
        _records(names, annotations, request, folder),
        categories,
        image_rows,
        category_rows,
        boxes,
        difficult=difficult,
        attributes=[_attributes(annotation) for annotation in annotations],
        source=str(request.path),
    )


def _attributes(annotation: VocAnnotation) -> str | None:
    """The image's attributes: which challenge it is of, where that is known."""
    return json.dumps({"challenge": annotation.challenge}) if annotation.challenge else None


def read_annotation(path: Path) -> VocAnnotation:
    """One annotation file.

    Raises:
        DataMissingError: it is not there.
        InputError: it is malformed.
    """
    root = read_xml(path)
    if root.tag != "annotation":
        raise line_error(
            path, root.line, f"the root is {shortened(root.tag)}, not 'annotation' as in VOC"
        )
    named = root.find("filename")
    suffix = Path(named.text).suffix if named is not None else ""
    objects = tuple(_object(path, element) for element in root.find_all("object"))
    folder = root.find("folder")
    challenge = folder.text if folder is not None and CHALLENGE.fullmatch(folder.text) else ""
    return VocAnnotation(challenge, suffix or ".jpg", _size(path, root.find("size")), objects)


def _object(path: Path, element: Element) -> VocObject:
    name = _text(path, element, "name")
    box = element.find("bndbox")
    if box is None:
        raise line_error(path, element.line, f"the object {shortened(name)} has no bndbox")
    left, top, right, bottom = (_number(path, box, side) for side in SIDES)
    left, top = left - 1, top - 1
    if right < left or bottom < top:
        raise line_error(
            path, box.line, f"the box of {shortened(name)} has a negative width or height"
        )
    flag = element.find("difficult")
    difficult = flag is not None and flag.text != "" and _number(path, element, "difficult") != 0
    return VocObject(name, (left, top, right - left, bottom - top), difficult, element.line)


def _size(path: Path, element: Element | None) -> tuple[int, int] | None:
    """Width and height; ``None`` where they are missing, or 0 as some tools leave them."""
    if element is None:
        return None
    width, height = (_number(path, element, side) for side in ("width", "height"))
    if width == 0 or height == 0:
        return None
    if not (1 <= width < 2**31 and 1 <= height < 2**31):
        raise line_error(path, element.line, f"an image of {width} x {height} pixels cannot be")
    return int(width), int(height)


def _text(path: Path, element: Element, tag: str) -> str:
    found = element.find(tag)
    if found is None or not found.text:
        raise line_error(path, element.line, f"the {element.tag} has no {tag}")
    return found.text


def _number(path: Path, element: Element, tag: str) -> float:
    text = _text(path, element, tag)
    found = element.find(tag)
    return numbers([text], path, element.line if found is None else found.line)[0]


def _categories(annotations: Sequence[VocAnnotation]) -> tuple[Category, ...]:
    found = {each.name for annotation in annotations for each in annotation.objects}
    if found <= {category.name for category in CATEGORIES}:
        return CATEGORIES
    return numbered(sorted(found))


def _records(
    names: Sequence[str],
    annotations: Sequence[VocAnnotation],
    request: TruthRequest,
    folder: VocFolder,
) -> list[ImageRecord]:
    sizes = [annotation.size for annotation in annotations]
    without = [row for row, size in enumerate(sizes) if size is None]
    if without:
        found = _sizes_of_images([names[row] for row in without], request, folder)
        for row, size in zip(without, found):
            sizes[row] = size
    return [
        ImageRecord(number, name + annotation.suffix, size[0], size[1])
        for number, name, annotation, size in zip(image_ids(names), names, annotations, sizes)
        if size is not None
    ]


def _sizes_of_images(
    names: Sequence[str], request: TruthRequest, folder: VocFolder
) -> list[tuple[int, int]]:
    images = request.images or folder.images
    first = folder.annotations / f"{names[0]}.xml"
    if not images.is_dir():
        raise InputError(
            "says no size of the image",
            file=first,
            remedy=f"Give the folder of the images: {images} is not there",
        )
    files = by_stem(find_images(images), images)
    for name in names:
        if name not in files:
            raise DataMissingError(
                f"{folder.annotations / name}.xml says no size, and there is no image of that name "
                f"in {images}"
            )
    return image_sizes([files[name] for name in names], request.progress)

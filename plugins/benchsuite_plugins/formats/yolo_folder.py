"""The folders of a YOLO dataset: which image a label file belongs to.

Three layouts are known. With a ``data.yaml``, its split names folders of images (or text files that
list them), and an image's labels lie where ``labels`` takes the place of the last ``images`` in its
path. Without one, ``images`` and ``labels`` stand beside each other, each with a folder a split or
none. Last, a folder of label files alone, whose images are given apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchsuite.errors import DataMissingError, InputError, UsageError, unknown_name
from benchsuite_plugins.formats.class_names import read_class_names
from benchsuite_plugins.formats.image_files import by_stem, find_images
from benchsuite_plugins.formats.label_files import CLASS_FILE, label_files
from benchsuite_plugins.formats.text_file import line_error, lines_of
from benchsuite_plugins.formats.yolo_data_file import (
    YoloDataFile,
    find_data_file,
    read_data_file,
)


@dataclass(frozen=True, slots=True)
class YoloImages:
    """Images of a split, and their labels.

    Attributes:
        names: file names relative to the image folder, by name.
        files: where each image is.
        labels: where each image's labels are, if it has any: an image without is one without
            objects.
        classes: names of the classes; empty where no file says them.
    """

    names: Sequence[str]
    files: Sequence[Path]
    labels: Sequence[Path]
    classes: tuple[str, ...]


def find_labelled_images(path: Path, images: Path | None, split: str | None) -> YoloImages:
    """The images of a split.

    Args:
        path: a ``data.yaml``, a folder that holds one, one that holds ``labels``, or label files.
        images: the folder of the images, if they are elsewhere.
        split: ``None``: the only one there is.

    Raises:
        DataMissingError: a folder is not there.
        UsageError: the split is not known, or there are several and none is named.
        InputError: a file that says where things are is malformed, labels belong to no image, or
            they are of poses.
    """
    data_file = path if path.is_file() else find_data_file(path)
    if data_file is not None:
        data = read_data_file(data_file)
        if data.has_keypoints:
            raise InputError("has a kpt_shape: labels of poses are not read", file=data_file)
        sources = _sources(data, split) if images is None else [images]
        if images is not None:
            return _beside(images, _label_folder(data_file.parent, split), data.names)
        parts = [_of_source(source, data.names) for source in sources]
        return YoloImages(
            [name for part in parts for name in part.names],
            [file for part in parts for file in part.files],
            [label for part in parts for label in part.labels],
            data.names,
        )
    labels = _label_folder(path, split)
    classes = _classes(labels, path)
    if images is None:
        images = _swapped(labels, "labels", "images")
        if images is None or not images.is_dir():
            raise DataMissingError(
                f"the images of the labels in {labels} are not there; their sizes are needed, give"
                " the folder that they lie in"
            )
    return _beside(images, labels, classes)


def _sources(data: YoloDataFile, split: str | None) -> list[Path]:
    """The folders or lists of a split's images."""
    if not data.splits:
        raise InputError("names no split (train, val or test)", file=data.file)
    if split is None:
        if len(data.splits) > 1:
            raise UsageError(
                f"{data.file} has the splits {', '.join(data.splits)}: name one of them"
            )
        split = next(iter(data.splits))
    if split not in data.splits:
        raise unknown_name(f"split of {data.file}", split, data.splits)
    return [_resolved(data, written) for written in data.splits[split]]


def _resolved(data: YoloDataFile, written: str) -> Path:
    """Where a split's folder is: exporters disagree about what it is relative to."""
    beside = data.file.parent
    base = beside / data.base
    tried = [base / written, beside / written]
    if written.startswith("../"):
        tried += [base / written.removeprefix("../"), beside / written.removeprefix("../")]
    for each in tried:
        if each.exists():
            return each
    looked = " and ".join(dict.fromkeys(str(each) for each in tried))
    raise DataMissingError(f"{data.file} names the images {written!r}; looked for {looked}")


def _of_source(source: Path, classes: tuple[str, ...]) -> YoloImages:
    if source.is_dir():
        labels = _swapped(source, "images", "labels")
        if labels is None:
            raise InputError(
                "is no folder 'images', nor in one, so that its labels cannot be found",
                file=source,
            )
        return _beside(source, labels, classes)
    images: list[Path] = []
    of_images: list[Path] = []
    for line, text in lines_of(source):
        image = source.parent / text
        label = _swapped(image.with_suffix(".txt"), "images", "labels")
        if not image.is_file():
            raise line_error(source, line, f"the image {image} is not there")
        if label is None:
            raise line_error(
                source, line, f"{image} is in no folder 'images', so that it has no labels"
            )
        images.append(image)
        of_images.append(label)
    return YoloImages([image.name for image in images], images, of_images, classes)


def _beside(images: Path, labels: Path, classes: tuple[str, ...]) -> YoloImages:
    """All images of a folder, with the labels that have the same place in another."""
    files = by_stem(find_images(images), images)
    if not files:
        raise DataMissingError(f"there is no image in {images}")
    if not labels.is_dir():
        raise DataMissingError(f"the label folder {labels} is not there")
    for label in label_files(labels):
        stem = label.relative_to(labels).with_suffix("").as_posix()
        if stem not in files:
            raise InputError(f"there is no image for it in {images}", file=label)
    return YoloImages(
        [file.relative_to(images).as_posix() for file in files.values()],
        list(files.values()),
        [labels / f"{stem}.txt" for stem in files],
        classes,
    )


def _label_folder(path: Path, split: str | None) -> Path:
    labels = path / "labels" if (path / "labels").is_dir() else path
    if split is None:
        return labels
    for folder in (labels / split, path / split / "labels"):
        if folder.is_dir():
            return folder
    raise DataMissingError(f"there are no labels of the split {split!r}: no {labels / split}")


def _classes(labels: Path, path: Path) -> tuple[str, ...]:
    for folder in (labels, *labels.parents[:2], path):
        if (folder / CLASS_FILE).is_file():
            return read_class_names(folder / CLASS_FILE)
    return ()


def _swapped(path: Path, old: str, new: str) -> Path | None:
    """The path with its last part called ``old`` called ``new``; ``None`` where there is none."""
    parts = list(path.absolute().parts)
    for place in reversed(range(len(parts))):
        if parts[place] == old:
            parts[place] = new
            return Path(*parts)
    return None

"""Pascal VOC 2007 and 2012 in the layout that Detectron2 reads too::

    VOC2007/Annotations/000001.xml
    VOC2007/ImageSets/Main/{train,val,trainval,test}.txt
    VOC2007/JPEGImages/000001.jpg
    VOC2012/…                            (there are no annotations of its test images)

Images are numbered by their names (``2008_000008`` is 2008000008), boxes as ``voc_annotations``
says. Everingham et al., The Pascal Visual Object Classes (VOC) Challenge, 2010.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pyarrow as pa

from benchsuite.columns.arrow_arrays import from_values
from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Dataset, DatasetRequest, Truth, TruthRequest
from benchsuite.records import Image, ImageRecord
from benchsuite_plugins.datasets.image_folder import ImageFolder
from benchsuite_plugins.formats.recognition import VOC_ANNOTATIONS
from benchsuite_plugins.formats.voc_annotations import read_truth
from benchsuite_plugins.formats.voc_categories import CATEGORIES
from benchsuite_plugins.formats.voc_folder import IMAGES
from benchsuite_plugins.formats.written_images import image_records

__all__ = ["CATEGORIES", "VocDataset", "open_voc"]

KIT = "VOCdevkit"
"""The folder that the published archives unpack to; the layout may lie in it."""

PUBLISHER = "http://host.robots.ox.ac.uk/pascal/VOC"


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that the publisher offers.

    Attributes:
        path: below the publisher's URL.
        year: of the challenge.
        bytes: its size.
        md5: of its bytes, in hexadecimal.
    """

    path: str
    year: str
    bytes: int
    md5: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Split:
    """A published list of images.

    Attributes:
        images: how many.
        archive: what holds them.
    """

    images: int
    archive: Archive


_TRAINVAL_2007 = Archive(
    "voc2007/VOCtrainval_06-Nov-2007.tar",
    "2007",
    460_032_000,
    "c52e279531787c972589f7e41ab4ae64",
)
_TEST_2007 = Archive(
    "voc2007/VOCtest_06-Nov-2007.tar",
    "2007",
    451_020_800,
    "b6e924de25625d8de591ea690078ad9f",
)
_TRAINVAL_2012 = Archive(
    "voc2012/VOCtrainval_11-May-2012.tar",
    "2012",
    1_999_639_040,
    "6cd6e144f989b92b3379bac3b3de84fd",
)

SPLITS = {
    "2007_test": Split(4952, _TEST_2007),
    "2007_trainval": Split(5011, _TRAINVAL_2007),
    "2007_train": Split(2501, _TRAINVAL_2007),
    "2007_val": Split(2510, _TRAINVAL_2007),
    "2012_trainval": Split(11540, _TRAINVAL_2012),
    "2012_train": Split(5717, _TRAINVAL_2012),
    "2012_val": Split(5823, _TRAINVAL_2012),
}


class VocDataset:
    """One split of one year of Pascal VOC.

    Args:
        root: the folder that datasets lie in.
        split: one of ``SPLITS``.
        images: the images, if they are not in the layout.

    Raises:
        DataMissingError: a file is not there; says where it was looked for and how to get it.
            Images are missed only when one is loaded.
        InputError: an annotation is malformed, or of none of the twenty categories.
    """

    categories = CATEGORIES
    keypoints = None
    tasks = ("bbox",)
    published_annotation_sha256 = None

    def __init__(self, root: Path, split: str, images: Path | None = None) -> None:
        self._root, self._split = root, split
        year, _, name = split.partition("_")
        folder = layout(root, year)
        self._annotations = folder / VOC_ANNOTATIONS
        self._list = folder / "ImageSets" / "Main" / f"{name}.txt"
        self._images = images or folder / IMAGES
        for needed in (self._annotations, self._list):
            if not needed.exists():
                raise missing(needed, root, split)
        truth = read_truth(TruthRequest(folder, split=name, categories=CATEGORIES))
        self._truth = _of_challenge(truth, f"VOC{year}")
        self._records = tuple(image_records(truth.images))

    @property
    def published_image_count(self) -> int:
        return SPLITS[self._split].images

    @property
    def annotation_sha256(self) -> str:
        """SHA-256 of the names and digests of the list of images and of their annotations."""
        return self._sha256

    @cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256()
        stems = [PurePosixPath(record.file_name).stem for record in self._records]
        for file in [self._list, *(self._annotations / f"{stem}.xml" for stem in stems)]:
            of_file = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.name} {of_file}\n".encode())
        return digest.hexdigest()

    def images(self) -> Sequence[ImageRecord]:
        """All images, in the order of the published list."""
        return self._records

    def load(self, record: ImageRecord) -> Image:
        """The image, decoded: see ``ImageFolder.load``."""
        return self.image_source().load(record)

    def image_source(self) -> ImageFolder:
        """Where the images are."""
        if not self._images.is_dir():
            raise missing(self._images, self._root, self._split)
        return ImageFolder(self._images, annotations=self._annotations)

    def truth(self, task: str) -> Truth:
        """Ground truth as columns. Raises ``InputError`` for any task but ``bbox``."""
        if task != "bbox":
            raise InputError(f"holds no truth for {task}", file=self._annotations)
        return self._truth


def open_voc(request: DatasetRequest) -> Dataset:
    """The split of Pascal VOC that the request names."""
    return VocDataset(request.root, request.split, request.images)


def missing(path: Path, root: Path, split: str) -> DataMissingError:
    """The error for a part of Pascal VOC that is not there: how to get it."""
    archive = SPLITS[split].archive
    return DataMissingError(
        f"{path.absolute()} of Pascal VOC is not there. Get it with: benchsuite data fetch voc "
        f"--split {split}; or unpack {PUBLISHER}/{archive.path} in {root.absolute()} "
        f"($BENCHSUITE_DATASETS names the folder above {KIT}/)"
    )


def layout(root: Path, year: str) -> Path:
    """The folder of a year's challenge."""
    beside, unpacked = root / f"VOC{year}", root / KIT / f"VOC{year}"
    return unpacked if unpacked.is_dir() and not beside.is_dir() else beside


def _of_challenge(truth: Truth, challenge: str) -> Truth:
    """The truth, every image of which is of that challenge, whatever its file says."""
    attributes = from_values(
        [json.dumps({"challenge": challenge})] * len(truth.images), pa.string()
    )
    place = truth.images.schema.get_field_index("attributes")
    images = truth.images.set_column(place, truth.images.schema.field(place), attributes)
    return Truth(images, truth.instances, truth.categories, truth.keypoints, truth.source)

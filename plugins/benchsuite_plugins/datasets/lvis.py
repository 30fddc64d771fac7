"""LVIS v1 and v0.5 in the layout that Detectron2 reads too::

    lvis/lvis_v1_{val,train,minival}.json
    lvis/lvis_v0.5_{val,train,…}.json
    coco/train2017/*.jpg, coco/val2017/*.jpg

The images are COCO's; a record's ``coco_url`` says in which of its folders one lies (LVIS's own
``val`` has images of both). Gupta et al., LVIS: A Dataset for Large Vocabulary Instance
Segmentation, 2019.
"""

from __future__ import annotations

from pathlib import Path

from benchsuite.errors import DataMissingError
from benchsuite.protocols import Dataset, DatasetRequest
from benchsuite.records import Image, ImageRecord
from benchsuite_plugins.datasets.coco_format import CocoFormatDataset
from benchsuite_plugins.datasets.image_folder import ImageFolder

FOLDER, IMAGE_FOLDER = "lvis", "coco"
"""Below the folder that datasets lie in."""

ANNOTATIONS_URL = "https://dl.fbaipublicfiles.com/LVIS"

_FILES = {
    "minival": ("lvis_{}_minival", "lvis_{}_minival_inserted_image_name"),
}
"""Split to what its file may be called, where that is not ``lvis_<version>_<split>``."""

_IMAGE_COUNTS = {"lvis_v1_val": 19809, "lvis_v1_train": 100170, "lvis_v0.5_val": 5000}


class LvisDataset(CocoFormatDataset):
    """One split of one version of LVIS.

    Args:
        file: the annotation file.
        images: the folder that COCO's folders of images lie in.

    Raises:
        InputError: the file cannot be read.
    """

    def __init__(self, file: Path, images: Path) -> None:
        super().__init__(file, None, named_by="coco_url")
        self._annotations, self._images = file, images

    @property
    def published_annotation_sha256(self) -> None:
        return None

    @property
    def published_image_count(self) -> int | None:
        return _IMAGE_COUNTS.get(self._annotations.stem)

    def load(self, record: ImageRecord) -> Image:
        """The image, decoded: see ``ImageFolder.load``.

        Raises:
            DataMissingError: the folder of COCO that it lies in is not there.
        """
        path = self._images / record.file_name
        if not path.parent.is_dir():
            raise DataMissingError(
                f"the image folder {path.parent.absolute()} is not there: LVIS's images are those "
                f"of COCO. Get them with: benchsuite data fetch coco --split {path.parent.name}"
            )
        return ImageFolder(self._images, annotations=self._annotations).load(record)

    def image_source(self) -> ImageFolder:
        """Where the images are."""
        return ImageFolder(self._images, annotations=self._annotations)


def open_v1(request: DatasetRequest) -> Dataset:
    """The split of LVIS v1 that the request names."""
    return _open(request, "v1")


def open_v05(request: DatasetRequest) -> Dataset:
    """The split of LVIS v0.5 that the request names."""
    return _open(request, "v0.5")


def _open(request: DatasetRequest, version: str) -> Dataset:
    names = [name.format(version) for name in _FILES.get(request.split, ())]
    names = names or [f"lvis_{version}_{request.split}"]
    files = [request.root / FOLDER / f"{name}.json" for name in names]
    for file in files:
        if file.is_file():
            return LvisDataset(file, request.images or request.root / IMAGE_FOLDER)
    raise _missing(files[0], version, request.split)


def _missing(file: Path, version: str, split: str) -> DataMissingError:
    get = "https://www.lvisdataset.org"
    if split in ("val", "train"):
        get = f"{ANNOTATIONS_URL}/{file.name}.zip"
    return DataMissingError(
        f"the annotation file {file.absolute()} of LVIS {version} is not there. Get it from {get} "
        f"and put it there ($BENCHSUITE_DATASETS names the folder above {FOLDER}/)"
    )

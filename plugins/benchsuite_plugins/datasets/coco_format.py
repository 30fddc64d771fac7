"""A dataset of any COCO-format annotation file, with or without its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.columns.annotation_file import AnnotationFile
from benchsuite.columns.keypoint_categories import keypoint_layout
from benchsuite.errors import InputError, UsageError
from benchsuite.protocols import Dataset, DatasetRequest, Truth
from benchsuite.records import Image, ImageRecord
from benchsuite.specs import Category, KeypointLayout
from benchsuite_plugins.datasets.image_folder import ImageFolder
from benchsuite_plugins.datasets.panoptic_annotations import PanopticAnnotations
from benchsuite_plugins.datasets.panoptic_files import is_panoptic
from benchsuite_plugins.datasets.panoptic_format import PanopticFormatDataset

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class CocoFormatOptions:
    """Options of ``coco_format``.

    Attributes:
        sigmas: one a keypoint, for keypoints other than COCO's seventeen of a person.
        maps: of a panoptic annotation file, the folder of its maps, where that is not called as the
            file is.
    """

    sigmas: tuple[float, ...] = ()
    maps: str = ""


class CocoFormatDataset:
    """A COCO-format annotation file, read once and kept as columns.

    ``tasks`` are those its annotations serve: ``bbox``, or ``rotated`` where boxes have an angle
    (as in Detectron2), ``segm`` where there are segmentations, ``keypoints`` where there are
    keypoints, ``panoptic`` and ``semantic`` where a panoptic file is given too (semantic truth is
    Panoptic FPN's then: all things are one category, see ``PanopticAnnotations.separated_truth``).
    Masks are made of polygons only when ``truth("segm")`` asks for them.

    Args:
        annotations: the JSON file.
        images: the folder that its ``file_name`` fields are relative to; ``None``: truth only.
        categories: replace those of the file (which need not list any then).
        keypoints: the layout of its keypoints; ``None``: as the file's categories describe it.
        sigmas: of the keypoints that the file's categories describe; empty: COCO's, where the
            keypoints are seventeen.
        named_by: the field that says where an image lies, ``file_name`` or ``coco_url``; see
            ``benchsuite.columns.truth.image_names``.
        panoptic: a panoptic annotation file of the same images. Its maps are in the folder called
            as the file is without ``.json``, beside the file or one level up.
        box_share: see ``benchsuite.columns.truth.TruthColumns``.

    Raises:
        DataMissingError: a file or folder is not there.
        InputError: a file cannot be read, lacks a field, or contradicts itself; or the image
            folder holds none of the images.
    """

    def __init__(
        self,
        annotations: Path,
        images: Path | None,
        *,
        categories: Sequence[Category] | None = None,
        keypoints: KeypointLayout | None = None,
        sigmas: Sequence[float] = (),
        named_by: str = "file_name",
        panoptic: Path | None = None,
        box_share: float | None = None,
    ) -> None:
        file = AnnotationFile(annotations)
        listed = file.list_field("categories") if categories is None else categories
        self._columns = file.truth(categories, named_by=named_by, box_share=box_share)
        self._file = annotations
        self._sha256 = file.sha256
        self._layout, self._sigmas = keypoints, tuple(sigmas)
        self._keypoint_categories: Sequence[Any] = () if categories is not None else listed
        self._folder = None if images is None else ImageFolder(images, annotations=annotations)
        if self._folder is not None:
            self._folder.check(self._columns.image_records)
        self._panoptic = None if panoptic is None else PanopticAnnotations(panoptic, categories)

    @property
    def categories(self) -> tuple[Category, ...]:
        """Those of the panoptic file, where there is one: stuff has no instances."""
        return (self._panoptic or self._columns).categories

    @property
    def keypoints(self) -> KeypointLayout | None:
        """The layout; ``None`` where there are no keypoints or their sigmas are not known.

        Raises:
            InputError: what the file's categories say of it contradicts the annotations.
        """
        count = self._columns.keypoint_count
        if self._layout is not None or not count:
            return self._layout
        return keypoint_layout(self._keypoint_categories, count, self._sigmas, file=self._file)

    @property
    def tasks(self) -> tuple[str, ...]:
        served = {
            "bbox": not self._columns.has_rotated_boxes,
            "segm": self._columns.has_segmentations,
            "keypoints": self._columns.keypoint_count > 0,
            "rotated": self._columns.has_rotated_boxes,
            "semantic": self._panoptic is not None,
            "panoptic": self._panoptic is not None,
        }
        return tuple(task for task, serves in served.items() if serves)

    @property
    def annotation_sha256(self) -> str:
        """SHA-256 of the annotation file's bytes (with a panoptic file: of both hashes)."""
        if self._panoptic is None:
            return self._sha256
        return self._panoptic.combined_sha256(self._sha256)

    def images(self) -> Sequence[ImageRecord]:
        """All images, by ascending id: the order that COCO's protocol evaluates in."""
        return self._columns.image_records

    def load(self, record: ImageRecord) -> Image:
        """The image, decoded: see ``ImageFolder.load``."""
        return self.image_source().load(record)

    def image_source(self) -> ImageFolder:
        """Where the images are."""
        if self._folder is None:
            raise UsageError(
                f"the images of {self._file} are needed, but no image folder was given;"
                " give one with --images DIR"
            )
        return self._folder

    def mask_shapes(self) -> pa.Table:
        """``schemas.MASK_SHAPES``: masks as the file has them."""
        return self._columns.mask_shapes()

    def truth(self, task: str) -> Truth:
        """Ground truth as columns.

        Raises:
            InputError: the file does not hold what the task needs.
        """
        if task == "panoptic" and self._panoptic is not None:
            return self._panoptic.truth(self._columns.image_records)
        if task == "semantic" and self._panoptic is not None:
            return self._panoptic.separated_truth(self._columns.image_records)
        if task not in self.tasks:
            raise InputError(
                f"holds no truth for {task}; it serves {', '.join(self.tasks)}", file=self._file
            )
        layout = self.keypoints if task == "keypoints" else None
        if task == "keypoints" and layout is None:
            raise InputError(
                f"its annotations carry {self._columns.keypoint_count} keypoints, whose sigmas"
                " are not known",
                file=self._file,
                remedy="Give them with the option 'sigmas', one a keypoint",
            )
        return self._columns.truth(task, layout)


def open_coco_format(request: DatasetRequest) -> Dataset:
    """The dataset of the annotation file that the request names."""
    if request.annotations is None:
        raise UsageError("coco_format needs an annotation file: --dataset FILE.json --images DIR")
    options = request.options or CocoFormatOptions()
    if is_panoptic(request.annotations):
        return PanopticFormatDataset(
            request.annotations,
            request.images,
            tasks=request.tasks,
            maps=Path(options.maps) if options.maps else None,
        )
    return CocoFormatDataset(request.annotations, request.images, sigmas=options.sigmas)

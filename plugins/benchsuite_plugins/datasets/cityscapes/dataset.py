"""A split of Cityscapes, opened."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchsuite.columns.arrow_arrays import empty_table, from_numpy, from_values
from benchsuite.columns.tables import box_array, filled_table, image_columns, rle_array
from benchsuite.errors import InputError
from benchsuite.protocols import Dataset, DatasetRequest, Truth
from benchsuite.records import Image, ImageRecord
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite.specs import Category
from benchsuite_kernels.columns.label_maps import MapError, read_size
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.datasets.cityscapes.instances import (
    Objects,
    objects_of,
    read_instance_map,
)
from benchsuite_plugins.datasets.cityscapes.labels import CATEGORIES
from benchsuite_plugins.datasets.cityscapes.layout import (
    FOLDER,
    INSTANCE_IDS,
    LABEL_IDS,
    TRAIN_IDS,
    SplitFiles,
    missing,
)
from benchsuite_plugins.datasets.cityscapes.panoptic import PanopticFile

if TYPE_CHECKING:
    from benchsuite_plugins.datasets.image_folder import ImageFolder

IMAGE_COUNTS = {"train": 2975, "val": 500, "test": 1525}


class CityscapesDataset:
    """One split of Cityscapes with fine annotations.

    Image ids count the frames by city, then name, from 1. Semantic truth is the label maps as they
    are: they hold label ids that are no category (void and the like), and so are scored by nothing.

    Args:
        folder: of Cityscapes itself.
        split: ``train``, ``val`` or ``test`` (whose published annotations are blank).
        tasks: what must be served; empty: whatever is there.

    Raises:
        DataMissingError: a file is not there; says where it was looked for and how to get it.
            Images are missed only when one is loaded.
        InputError: a file cannot be read.
    """

    def __init__(self, folder: Path, split: str, tasks: Sequence[str] = ()) -> None:
        self._folder, self._files = folder, SplitFiles(folder, split)
        self._files.require(INSTANCE_IDS)
        self._semantic = next(
            (kind for kind in (LABEL_IDS, TRAIN_IDS) if self._files.complete(kind)), None
        )
        if "semantic" in tasks and self._semantic is None:
            self._files.require(LABEL_IDS)
        file = self._files.panoptic_file
        wanted = "panoptic" in tasks or (not tasks and file.is_file())
        self._panoptic = PanopticFile(file, folder) if wanted else None
        records = []
        for number, frame in enumerate(self._files.frames, start=1):
            path = self._files.path(frame, INSTANCE_IDS)
            try:
                height, width = read_size(path)
            except MapError as error:
                raise InputError(error.problem, file=path) from None
            records.append(ImageRecord(number, frame.image_name, width, height))
        self._records = tuple(records)

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 19 evaluated labels, ids being label ids."""
        return CATEGORIES

    @property
    def keypoints(self) -> None:
        return None

    @property
    def tasks(self) -> tuple[str, ...]:
        served = {
            "bbox": True,
            "segm": True,
            "semantic": self._semantic is not None,
            "panoptic": self._panoptic is not None,
        }
        return tuple(task for task, serves in served.items() if serves)

    @cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256()
        for kind in filter(None, (INSTANCE_IDS, self._semantic)):
            for frame in self._files.frames:
                path = self._files.path(frame, kind)
                of_file = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.name} {of_file}\n".encode())
        if self._panoptic is not None:
            digest.update(self._panoptic.sha256.encode())
        return digest.hexdigest()

    @property
    def annotation_sha256(self) -> str:
        """SHA-256 of the names and hashes of all annotation files that are served."""
        return self._sha256

    @property
    def published_annotation_sha256(self) -> None:
        return None

    @property
    def published_image_count(self) -> int:
        return IMAGE_COUNTS[self._files.split]

    def images(self) -> Sequence[ImageRecord]:
        """All frames, by city, then name."""
        return self._records

    @cached_property
    def _images(self) -> ImageFolder:
        if not self._files.images.is_dir():
            problem = f"the image folder {self._files.images.absolute()} is not there"
            raise missing(problem, self._folder)
        from benchsuite_plugins.datasets.image_folder import ImageFolder

        return ImageFolder(self._files.images, annotations=self._files.annotations)

    def load(self, record: ImageRecord) -> Image:
        """The image, decoded: see ``ImageFolder.load``."""
        return self._images.load(record)

    def image_source(self) -> ImageFolder:
        """Where the images are."""
        return self._images

    def truth(self, task: str) -> Truth:
        """Ground truth as columns; each image has the path of its instance map too.

        Raises:
            DataMissingError: a file that the task needs is not there.
            InputError: a map cannot be read, or has another size than its image.
        """
        columns: dict[str, Any] = {
            **image_columns(self._records),
            "instance_path": self._paths(INSTANCE_IDS),
        }
        instances = empty_table(TRUTH_INSTANCES)
        if task in ("bbox", "segm"):
            instances = self._instances(masks=task == "segm")
        elif task == "semantic" and self._semantic == LABEL_IDS:
            columns["semantic_path"] = self._paths(LABEL_IDS)
        elif task == "semantic" and self._semantic == TRAIN_IDS:
            paths = [self._files.path(frame, TRAIN_IDS) for frame in self._files.frames]
            # Pillow is imported where images are loaded or written, which scoring does not need.
            from benchsuite_plugins.datasets.cityscapes.train_ids import semantic_png

            maps = [semantic_png(path) for path in paths]
            columns["semantic_png"] = from_values(maps, pa.binary())
        elif task == "semantic":
            self._files.require(LABEL_IDS)
        elif task == "panoptic":
            file = self._panoptic or PanopticFile(self._files.panoptic_file, self._folder)
            columns |= file.columns(self._files.frames)
        else:
            raise InputError(
                f"holds no truth for {task}; it serves {', '.join(self.tasks)}",
                file=self._files.annotations,
            )
        return Truth(
            images=filled_table(columns, TRUTH_IMAGES, len(self._records)),
            instances=instances,
            categories=CATEGORIES,
            source=str(self._files.annotations),
        )

    def _paths(self, kind: str) -> pa.Array[Any]:
        frames = self._files.frames
        return from_values([str(self._files.path(frame, kind)) for frame in frames], pa.string())

    def _instances(self, masks: bool) -> pa.Table:
        """``TRUTH_INSTANCES`` of all frames, numbered from 1."""
        found = self._objects
        counts = [len(objects.category_ids) for objects in found]
        total = sum(counts)
        if not total:
            return empty_table(TRUTH_INSTANCES)
        sides = np.array([(record.height, record.width) for record in self._records])
        ids = np.array([record.id for record in self._records])
        rles = [rle for objects in found for rle in objects.counts]
        boxes = np.concatenate([objects.boxes for objects in found]).astype(np.float64)
        areas = np.concatenate([objects.areas for objects in found])
        columns = {
            "annotation_id": from_numpy(np.arange(1, total + 1)),
            "image_id": from_numpy(np.repeat(ids, counts)),
            "category_id": from_numpy(np.concatenate([objects.category_ids for objects in found])),
            "bbox": box_array(boxes, np.ones(total, np.bool_)),
            "area": from_numpy(areas.astype(np.float64)),
            "iscrowd": from_numpy(np.concatenate([objects.iscrowd for objects in found])),
            "segmentation": rle_array(rles, np.repeat(sides, counts, axis=0)) if masks else None,
        }
        return filled_table(columns, TRUTH_INSTANCES, total)

    @cached_property
    def _objects(self) -> list[Objects]:
        """The objects of each frame."""

        def read(record: ImageRecord) -> Objects:
            path = self._files.path(self._files.frames[record.id - 1], INSTANCE_IDS)
            return objects_of(read_instance_map(path, record))

        with ThreadPoolExecutor(evaluation_threads()) as workers:
            return list(workers.map(read, self._records))


def open_cityscapes(request: DatasetRequest) -> Dataset:
    """The split of Cityscapes that the request names."""
    return CityscapesDataset(request.root / FOLDER, request.split, request.tasks)

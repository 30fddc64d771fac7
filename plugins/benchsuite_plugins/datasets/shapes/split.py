"""A split in memory and on disk: pictures one by one, their COCO files, and the three hashes.

On disk, in COCO's layout::

    images/000000000012.png     RGB
    instances.json              boxes, compressed RLE, keypoints
    panoptic.json               segment lists
    panoptic/000000000012.png   segment numbers, R + 256 G + 65536 B
    manifest.json               the hashes, and every file's size

The hashes are of content, not of PNG bytes, which depend on the compressor's version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchsuite.predictions.label_maps import encode_panoptic
from benchsuite_plugins.datasets.shapes.annotations import (
    ImageAnnotations,
    annotate,
    panoptic_categories,
    thing_categories,
)
from benchsuite_plugins.datasets.shapes.options import ShapesOptions
from benchsuite_plugins.datasets.shapes.scene import make_picture
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64

GENERATOR = "1"
"""Counts changes of anything that decides a pixel or an annotation."""

INSTANCES, PANOPTIC, MANIFEST = "instances.json", "panoptic.json", "manifest.json"

_SPLIT_NUMBER = {"train": 1, "val": 2}
_COMPRESSION = 3
"""zlib level of the PNGs: half the time of the default for a tenth more bytes."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """SHA-256 of a split's content, in hexadecimal.

    Attributes:
        pixels: of every image's id, height, width and RGB bytes.
        annotations: of the two annotation files' own hashes; what the opened dataset reports.
        maps: of every panoptic map's image id and segment numbers.
    """

    pixels: str
    annotations: str
    maps: str


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    image_id: int
    pixels: NDArray[np.uint8]
    truth: ImageAnnotations


def image_id(split: str, index: int) -> int:
    """Ids have gaps, and the two splits share none."""
    return 10 * (index + 1) + _SPLIT_NUMBER[split]


def file_name(identity: int) -> str:
    return f"{identity:012d}.png"


class _Collector:
    """Gathers what the files and hashes are made of while images come by."""

    def __init__(self) -> None:
        self._pixels, self._maps = hashlib.sha256(), hashlib.sha256()
        self._images: list[dict[str, Any]] = []
        self._instances: list[dict[str, Any]] = []
        self._panoptic: list[dict[str, Any]] = []

    def add(self, shown: _Shown) -> None:
        height, width, _ = shown.pixels.shape
        head = f"{shown.image_id} {height} {width}\n".encode("ascii")
        self._pixels.update(head + shown.pixels.tobytes())
        self._maps.update(head + shown.truth.panoptic.astype("<i4").tobytes())
        name = file_name(shown.image_id)
        self._images.append(
            {"id": shown.image_id, "file_name": name, "width": width, "height": height}
        )
        self._instances.extend(shown.truth.instances)
        self._panoptic.append(
            {
                "image_id": shown.image_id,
                "file_name": name,
                "segments_info": shown.truth.segments,
            }
        )

    def files(self, options: ShapesOptions, split: str) -> dict[str, bytes]:
        """The annotation files' bytes."""
        info = {
            "description": f"shapes, {split} split",
            "version": GENERATOR,
            "options": asdict(options),
        }
        content = {
            INSTANCES: (self._instances, thing_categories()),
            PANOPTIC: (self._panoptic, panoptic_categories()),
        }
        return {
            name: _json(
                {
                    "info": info,
                    "images": self._images,
                    "annotations": annotations,
                    "categories": categories,
                }
            )
            for name, (annotations, categories) in content.items()
        }

    def hashes(self, files: dict[str, bytes]) -> Hashes:
        parts = " ".join(sha256(files[name]) for name in (INSTANCES, PANOPTIC))
        return Hashes(
            pixels=self._pixels.hexdigest(),
            annotations=sha256(parts.encode("ascii")),
            maps=self._maps.hexdigest(),
        )


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _draw(options: ShapesOptions, split: str) -> Iterator[_Shown]:
    for index in range(options.images_in(split)):
        random = SplitMix64(options.seed, options.size, _SPLIT_NUMBER[split], index)
        picture = make_picture(random, options.size)
        identity = image_id(split, index)
        yield _Shown(identity, picture.pixels, annotate(picture, identity))


def split_hashes(options: ShapesOptions, split: str) -> Hashes:
    """The hashes of a split, drawn and not written."""
    collector = _Collector()
    for shown in _draw(options, split):
        collector.add(shown)
    return collector.hashes(collector.files(options, split))


def write_split(
    folder: Path, options: ShapesOptions, split: str, advance: Callable[[int], None]
) -> Hashes:
    """Write a split's files into ``folder``, which must not hold any yet.

    Args:
        advance: called with the number of images that were finished since the last call.

    Raises:
        OSError: a file could not be written.
    """
    for name in ("images", "panoptic"):
        (folder / name).mkdir(parents=True)
    collector = _Collector()
    sizes: dict[str, int] = {}
    for shown in _draw(options, split):
        collector.add(shown)
        name = file_name(shown.image_id)
        picture, panoptic = folder / "images" / name, folder / "panoptic" / name
        Image.fromarray(shown.pixels).save(picture, compress_level=_COMPRESSION)
        panoptic.write_bytes(encode_panoptic(shown.truth.panoptic))
        sizes |= {f"{path.parent.name}/{name}": path.stat().st_size for path in (picture, panoptic)}
        advance(1)
    files = collector.files(options, split)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    hashes = collector.hashes(files)
    manifest = {
        "generator": GENERATOR,
        "split": split,
        "options": asdict(options),
        "hashes": asdict(hashes),
        "sha256": {name: sha256(data) for name, data in files.items()},
        "sizes": sizes,
    }
    (folder / MANIFEST).write_bytes(_json(manifest))
    return hashes

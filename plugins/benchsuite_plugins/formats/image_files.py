"""The image files that a format's labels belong to: which there are, and how large."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from pathlib import Path

from benchsuite.errors import DataMissingError, InputError
from benchsuite.progress import ShowsProgress

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)
_PNG = b"\x89PNG\r\n\x1a\n"


def find_images(folder: Path) -> list[Path]:
    """All images below a folder, by name.

    Raises:
        DataMissingError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataMissingError(f"the image folder {folder} is not there")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    )


def by_stem(images: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Images by their path below the folder, without ending.

    Raises:
        InputError: two differ by their ending alone.
    """
    found: dict[str, Path] = {}
    for image in images:
        stem = image.relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise InputError(
                f"has the same name as {found[stem].name}, so that a label file cannot be told to"
                " be of either",
                file=image,
            )
        found[stem] = image
    return found


def image_sizes(images: Sequence[Path], show: ShowsProgress) -> list[tuple[int, int]]:
    """Widths and heights, with EXIF orientation applied; only headers are read.

    Raises:
        DataMissingError: an image is not there.
        InputError: an image's header cannot be read.
    """
    # Imported where it is needed: most labels say how large their images are.
    from PIL import Image as PillowImage

    with warnings.catch_warnings(), show("reading image sizes", len(images)) as shown:
        warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)
        sizes = []
        for image in images:
            sizes.append(_size(image))
            shown.advance(1)
        return sizes


def _size(path: Path) -> tuple[int, int]:
    from PIL import Image as PillowImage

    try:
        with PillowImage.open(path) as encoded:
            width, height = encoded.size
            on_its_side = encoded.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
    except FileNotFoundError:
        raise DataMissingError(f"the image {path} is not there") from None
    except PillowImage.DecompressionBombError as error:
        return _size_of_large(path, error)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise InputError(f"the image cannot be read: {error}", file=path) from error
    return (height, width) if on_its_side else (width, height)


def _size_of_large(path: Path, error: Exception) -> tuple[int, int]:
    """The size that a PNG's first chunk states: aerial images may be larger than Pillow opens."""
    with path.open("rb") as file:
        header = file.read(24)
    if len(header) < 24 or not header.startswith(_PNG):
        raise InputError(f"the image cannot be read: {error}", file=path) from error
    width, height = struct.unpack(">II", header[16:])
    return width, height

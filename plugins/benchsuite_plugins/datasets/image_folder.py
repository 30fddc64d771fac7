"""The folder that a dataset's images lie in: finding them and decoding them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from benchsuite.errors import DataMissingError, InputError
from benchsuite.records import Image, ImageRecord


class ImageFolder:
    """Images below one folder, named by an annotation file.

    Args:
        folder: the folder; may be a symbolic link.
        annotations: the file that names the images, for messages.

    Raises:
        DataMissingError: there is no such folder.
    """

    def __init__(self, folder: Path, *, annotations: Path) -> None:
        if not folder.is_dir():
            raise DataMissingError(
                f"the image folder {folder} is not there (for the images of {annotations})"
            )
        self.folder, self.annotations = folder, annotations

    def check(self, records: Sequence[ImageRecord]) -> None:
        """Checks that names stay inside the folder and that it holds at least one image.

        Raises:
            InputError: a name leads out of the folder, or none of the images is there.
        """
        paths = [self.path(record) for record in records]
        if paths and not any(path.is_file() for path in paths):
            raise InputError(
                f"none of its {len(paths)} images is in the image folder {self.folder}"
                f" (looked for {paths[0]}, for example)",
                file=self.annotations,
                remedy="Give the folder that the file_name fields are relative to",
            )

    def path(self, record: ImageRecord) -> Path:
        """Where the image is looked for. Raises ``InputError`` if that is outside the folder."""
        name = record.file_name
        if not name or "\0" in name:
            raise InputError(
                "has no usable file_name", file=self.annotations, record=f"image id {record.id}"
            )
        leads_out = any(
            bool(path.anchor) or ".." in path.parts
            for path in (PurePosixPath(name), PureWindowsPath(name))
        )
        if leads_out:
            raise InputError(
                f"file_name {name!r} leads out of the image folder",
                file=self.annotations,
                record=f"image id {record.id}",
                remedy="A file_name must be relative to the image folder, without '..'",
            )
        return self.folder / name

    def load(self, record: ImageRecord) -> Image:
        """Decodes an image to (H, W, 3) uint8 RGB, EXIF orientation applied.

        Raises:
            InputError: it is not there, cannot be decoded, or has another size than annotated.
        """
        # Scoring opens datasets without ever looking at an image; Pillow takes a while to import.
        from benchsuite_plugins.datasets.image_decoding import UNDECODABLE, decode

        path = self.path(record)
        try:
            pixels = decode(path)
        except FileNotFoundError:
            raise InputError(
                f"the image is not there (named by {self.annotations})",
                file=path,
                record=f"image id {record.id}",
            ) from None
        except UNDECODABLE as error:
            raise InputError(
                f"the image cannot be read: {error}", file=path, record=f"image id {record.id}"
            ) from error
        height, width = pixels.shape[:2]
        if (width, height) != (record.width, record.height):
            raise InputError(
                f"the image is {width} x {height} pixels, but {self.annotations} says"
                f" {record.width} x {record.height}",
                file=path,
                record=f"image id {record.id}",
            )
        return Image(record=record, pixels=pixels)

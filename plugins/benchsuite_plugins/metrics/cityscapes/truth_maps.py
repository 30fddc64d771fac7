"""Maps that a table of images holds as PNG bytes or names the files of."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from benchsuite.errors import InputError


@dataclass(frozen=True, slots=True)
class MapColumn:
    """One kind of map of some images, one after the other.

    Attributes:
        kind: what messages call it (``"instance"``).
        pngs, paths: PNG bytes, or where those are ``None`` a file.
        sizes: (height, width) of the images, in pixels.
        image_ids: ids of the images.
        source: the file or folder that the table was read from, for messages.
    """

    kind: str
    pngs: Sequence[bytes | None]
    paths: Sequence[str | None]
    sizes: Sequence[tuple[int, int]]
    image_ids: Sequence[int]
    source: str

    @classmethod
    def of(cls, images: pa.Table, kind: str, source: str) -> MapColumn:
        """The columns ``<kind>_png`` and ``<kind>_path`` of a table of images."""
        height, width = (images[side].to_pylist() for side in ("height", "width"))
        return cls(
            kind,
            images[f"{kind}_png"].to_pylist(),
            images[f"{kind}_path"].to_pylist(),
            list(zip(height, width)),
            images["image_id"].to_pylist(),
            source,
        )

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def complete(self) -> bool:
        """Whether every image has a map."""
        return all(png or path for png, path in zip(self.pngs, self.paths))

    def read(self, row: int) -> NDArray[np.integer[Any]]:
        """A map: (H, W) integers.

        Raises:
            InputError: there is none, it cannot be read, is no greyscale PNG, or is of another size
                than its image.
        """
        png, path = self.pngs[row], self.paths[row]
        if png is None and path is None:
            raise self.error(row, f"has no {self.kind} map")
        try:
            with Image.open(io.BytesIO(png) if png is not None else Path(str(path))) as encoded:
                pixels = np.asarray(encoded)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise self.error(row, f"its {self.kind} map cannot be read: {error}") from error
        if pixels.ndim != 2 or pixels.dtype.kind not in "iu":
            raise self.error(row, f"its {self.kind} map has colours or transparency, not numbers")
        if pixels.shape != self.sizes[row]:
            raise self.error(
                row,
                f"its {self.kind} map is of {pixels.shape} pixels (height, width), the image of "
                f"{self.sizes[row]}",
            )
        return pixels

    def file(self, row: int, folder: Path, name: str = "") -> Path:
        """A file that holds a map: its own, or one written into ``folder``.

        Args:
            name: what it must be called, where that matters; it is written then.
        """
        png, path = self.pngs[row], self.paths[row]
        if png is None and path is None:
            raise self.error(row, f"has no {self.kind} map")
        if png is None and path is not None and not name:
            return Path(path)
        target = folder / (name or f"{self.kind}_{self.image_ids[row]}.png")
        target.write_bytes(Path(str(path)).read_bytes() if png is None else png)
        return target

    def error(self, row: int, problem: str) -> InputError:
        """The error that a map has this problem."""
        file = self.paths[row] if self.pngs[row] is None else None
        return InputError(
            problem, file=file or self.source or None, record=f"image id {self.image_ids[row]}"
        )

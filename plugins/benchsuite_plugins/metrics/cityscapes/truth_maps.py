"""Maps that a table of images holds as PNG bytes or names the files of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.errors import InputError
from benchsuite_kernels.columns.label_maps import MapError, decode


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
    def present(self) -> NDArray[np.bool_]:
        """(I,) which images have a map."""
        there = [png is not None or path is not None for png, path in zip(self.pngs, self.paths)]
        return np.array(there, np.bool_)

    def take(self, kept: NDArray[np.bool_]) -> MapColumn:
        """The images that are kept."""
        rows = np.flatnonzero(kept).tolist()
        return replace(
            self,
            pngs=[self.pngs[row] for row in rows],
            paths=[self.paths[row] for row in rows],
            sizes=[self.sizes[row] for row in rows],
            image_ids=[self.image_ids[row] for row in rows],
        )

    def map_source(self, row: int) -> bytes | str:
        """A map's bytes, or the path of its file. Raises ``InputError`` if there is neither."""
        png, path = self.pngs[row], self.paths[row]
        if png is not None:
            return png
        if path is None:
            raise self.error(row, f"has no {self.kind} map")
        return path

    def map_sources(self) -> list[bytes | str]:
        """Each map's bytes or path. Raises ``InputError`` if one has neither."""
        return [self.map_source(row) for row in range(len(self))]

    def read(self, row: int) -> NDArray[np.uint16]:
        """A map: (H, W) uint16.

        Raises:
            InputError: there is none, it cannot be read, is no greyscale PNG, or is of another size
                than its image.
        """
        try:
            numbers = decode(self.map_source(row), "grey")
        except MapError as error:
            raise self.error(row, f"its {self.kind} map {error.problem}") from None
        if numbers.shape != self.sizes[row]:
            raise self.error(
                row,
                f"its {self.kind} map is of {numbers.shape} pixels (height, width), the image of "
                f"{self.sizes[row]}",
            )
        return numbers.astype(np.uint16, copy=False)

    def file(self, row: int, folder: Path, name: str = "") -> Path:
        """A file that holds a map: its own, or one written into ``folder``.

        Args:
            name: what it must be called, where that matters; it is written then.

        Raises:
            InputError: there is no map, or its file cannot be read.
        """
        source = self.map_source(row)
        if isinstance(source, str) and not name:
            return Path(source)
        target = folder / (name or f"{self.kind}_{self.image_ids[row]}.png")
        try:
            target.write_bytes(Path(source).read_bytes() if isinstance(source, str) else source)
        except OSError as error:
            raise self.error(row, f"its {self.kind} map cannot be read: {error}") from error
        return target

    def error(self, row: int, problem: str) -> InputError:
        """The error that a map has this problem."""
        file = self.paths[row] if self.pngs[row] is None else None
        return InputError(
            problem, file=file or self.source or None, record=f"image id {self.image_ids[row]}"
        )

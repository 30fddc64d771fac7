"""How ``golden.py`` hands a folder's proposals to a model that finds none itself.

Beside ``image.png`` lies ``proposals.npz`` (``image_1.png``: ``proposals_1.npz``) with the boxes in
pixels of that image. The model reads them from one file for all images of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.options import merge


def read_proposals(image: Path) -> dict[str, NDArray[Any]] | None:
    """``boxes`` and ``objectness_logits`` of an image; ``None`` where the folder has none."""
    file = image.with_name(image.name.replace("image", "proposals", 1)).with_suffix(".npz")
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


@contextmanager
def with_proposals_file(
    config: Mapping[str, Any], images: Sequence[Path]
) -> Iterator[Mapping[str, Any]]:
    """The configuration, its ``proposals.file`` one of these images, whose ids are 0, 1, ...; as it
    is where it speaks of no proposals."""
    if "proposals" not in config:
        yield config
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "proposals.npz"
        arrays = {
            f"{index}/{name}": array
            for index, image in enumerate(images)
            for name, array in (read_proposals(image) or {}).items()
        }
        np.savez(file, allow_pickle=False, **arrays)
        yield merge(config, {"proposals": {"file": str(file)}})

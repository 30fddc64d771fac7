"""Maps of train ids as maps of label ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchsuite.errors import InputError
from benchsuite.predictions.label_maps import SEMANTIC_VOID, encode_semantic
from benchsuite_plugins.datasets.cityscapes.instances import read_instance_map
from benchsuite_plugins.datasets.cityscapes.labels import EVALUATED, NO_TRAIN_ID


def semantic_png(path: Path) -> bytes:
    """A map of train ids as a PNG of label ids.

    Which label a pixel has that is not evaluated is lost, and of no consequence: it becomes
    ``SEMANTIC_VOID`` (label 0, unlabeled).

    Raises:
        InputError: the file is no such map.
    """
    train_ids = read_instance_map(path)
    label_ids = np.full(NO_TRAIN_ID + 1, SEMANTIC_VOID, np.uint8)
    for label in EVALUATED:
        label_ids[label.train_id] = label.id
    known = [*(label.train_id for label in EVALUATED), NO_TRAIN_ID]
    if unknown := np.setdiff1d(train_ids, known).tolist():
        raise InputError(f"holds {unknown[0]}, which is no train id", file=path)
    return encode_semantic(label_ids[train_ids])

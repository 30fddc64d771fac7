"""What is measured: tasks on data sets, with the peers that can do them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

DETECTION_PEERS = (
    "pycocotools",
    "faster-coco-eval",
    "hotcoco",
    "ultrafast-pycocotools",
    "vernier",
)
LVIS_PEERS = ("lvis", "faster-coco-eval", "hotcoco", "ultrafast-pycocotools", "vernier")


@dataclass(frozen=True)
class Case:
    """A task on a data set.

    Attributes:
        dataset: of ``datasets.MAKERS``.
        task: as competitors know it.
        truth, predictions: file or folder names in the data set's folder.
        peers: who can do it.
        parquet: whether predictions are also measured from Parquet.
        kernel: whether evaluation alone is measured, apart from reading.
    """

    dataset: str
    task: str
    truth: str
    predictions: str
    peers: tuple[str, ...]
    parquet: bool = True
    kernel: bool = True

    def beside(self, peers: Sequence[str] | None) -> Case:
        """The case with those of its peers alone; ``None``: with all."""
        if peers is None:
            return self
        return replace(self, peers=tuple(peer for peer in self.peers if peer in peers))

    @property
    def shape(self) -> str:
        """What detections are: ``bbox``, ``segm`` or ``keypoints``."""
        return self.task.removeprefix("lvis-")


RUST_PEERS = ("hotcoco", "ultrafast-pycocotools", "vernier")
MAPS = {"parquet": False, "kernel": False}

CASES: Mapping[str, Case] = {
    "bbox": Case("coco", "bbox", "truth.json", "boxes.json", DETECTION_PEERS),
    "segm": Case("coco", "segm", "truth.json", "masks.json", DETECTION_PEERS),
    "keypoints": Case("persons", "keypoints", "truth.json", "keypoints.json", DETECTION_PEERS),
    "lvis-bbox": Case("lvis", "lvis-bbox", "truth.json", "boxes.json", LVIS_PEERS),
    "lvis-segm": Case("lvis", "lvis-segm", "truth.json", "masks.json", LVIS_PEERS),
    "objects-2m": Case("objects_2m", "bbox", "truth.json", "boxes.json", RUST_PEERS),
    "objects-8m": Case("objects_8m", "bbox", "truth.json", "boxes.json", RUST_PEERS),
    "panoptic": Case(
        "panoptic",
        "panoptic",
        "truth.json",
        "predictions.json",
        ("panopticapi", "hotcoco", "vernier"),
        **MAPS,
    ),
    "semantic": Case(
        "semantic", "semantic", "truth_classes", "predicted_classes", ("hotcoco", "vernier"), **MAPS
    ),
    "cityscapes": Case(
        "semantic",
        "cityscapes",
        "truth_labels",
        "predicted_labels",
        ("cityscapesscripts",),
        **MAPS,
    ),
}


def difference(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> str:
    """How two competitors' results compare, in words."""
    largest = 0.0
    for name in sorted(ours.keys() & theirs.keys()):
        mine, other = np.squeeze(ours[name]), np.squeeze(theirs[name])
        if mine.shape != other.shape:
            return f"{name} has the shape {other.shape}, not {mine.shape}"
        largest = max(largest, float(np.abs(mine - other).max(initial=0)))
    if not ours.keys() & theirs.keys():
        return "nothing to compare"
    return "equal to the bit" if largest == 0 else f"off by up to {largest:.2g}"

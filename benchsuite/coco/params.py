"""What ``COCOeval`` evaluates by."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchsuite.errors import UsageError

_EVERY_AREA = [0, 1e10]
_SMALL, _MEDIUM, _LARGE = [0, 32**2], [32**2, 96**2], [96**2, 1e10]


class Params:
    """Parameters of ``COCOeval``, named and preset as pycocotools' are.

    Attributes:
        iouType: ``bbox``, ``segm`` or ``keypoints``.
        imgIds, catIds: images and categories that are evaluated.
        iouThrs: IoU (or OKS) at which a detection may match.
        recThrs: recalls at which precision is read off.
        maxDets: how many detections of an image and category count.
        areaRng: (smallest, largest) area of each range, in square pixels; both ends belong to it.
        areaRngLbl: the ranges' names.
        useCats: 0: every detection may match every truth of its image.
        kpt_oks_sigmas: (keypoints only) standard deviation of each keypoint, relative to the
            object's scale.
        useSegm: deprecated: where it is not ``None``, it decides between ``segm`` and ``bbox``.
    """

    def __init__(self, iouType: str = "segm") -> None:
        if iouType in ("segm", "bbox"):
            self.setDetParams()
        elif iouType == "keypoints":
            self.setKpParams()
        else:
            raise UsageError(f"iouType {iouType!r} is not one of 'bbox', 'segm' and 'keypoints'")
        self.iouType = iouType
        self.useSegm: Any = None

    def setDetParams(self) -> None:
        """The parameters of boxes and masks."""
        self._preset()
        self.maxDets: list[int] = [1, 10, 100]
        self.areaRng: list[list[float]] = [[*_EVERY_AREA], [*_SMALL], [*_MEDIUM], [*_LARGE]]
        self.areaRngLbl = ["all", "small", "medium", "large"]

    def setKpParams(self) -> None:
        """The parameters of keypoints, with the sigmas of COCO's persons."""
        self._preset()
        self.maxDets = [20]
        self.areaRng = [[*_EVERY_AREA], [*_MEDIUM], [*_LARGE]]
        self.areaRngLbl = ["all", "medium", "large"]
        tenths = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72]
        tenths += [0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
        self.kpt_oks_sigmas = np.array(tenths) / 10

    def _preset(self) -> None:
        self.imgIds: list[Any] = []
        self.catIds: list[Any] = []
        self.iouThrs: Any = np.linspace(0.5, 0.95, 10)
        self.recThrs: Any = np.linspace(0, 1, 101)
        self.useCats: int = 1

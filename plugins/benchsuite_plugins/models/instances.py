"""Regions and detections of a whole batch, held flat: R rows, each with the image it belongs to.

Rows are ordered by image, those of an image by descending score. Boxes are xyxy, in pixels of the
resized image (before padding). Rows may be absent (see ``presence``).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Proposals:
    """Class-agnostic regions.

    Attributes:
        boxes: (R, 4) float32, clipped to the image.
        logits: (R,) float32, objectness before the sigmoid.
        image_index: (R,) int64.
    """

    boxes: Tensor
    logits: Tensor
    image_index: Tensor

    @property
    def scores(self) -> Tensor:
        """What they are ranked by: (R,) float32."""
        return self.logits

    def take(self, rows: Tensor) -> Proposals:
        """Those of some rows: (K,) int64."""
        return Proposals(self.boxes[rows], self.logits[rows], self.image_index[rows])


@dataclass(frozen=True, slots=True)
class Detections:
    """Detected instances.

    Attributes:
        boxes: (R, 4) float32.
        scores: (R,) float32, 0 to 1.
        labels: (R,) int64.
        image_index: (R,) int64.
        masks: (R, M, M) float32 probabilities over each box, or ``None``.
        keypoints: (R, K, 3) float32: x and y in pixels of the resized image, and the keypoint's own
            score; or ``None``.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    image_index: Tensor
    masks: Tensor | None = None
    keypoints: Tensor | None = None

    def take(self, rows: Tensor) -> Detections:
        """Those of some rows: (K,) int64."""
        return Detections(
            self.boxes[rows],
            self.scores[rows],
            self.labels[rows],
            self.image_index[rows],
            None if self.masks is None else self.masks[rows],
            None if self.keypoints is None else self.keypoints[rows],
        )

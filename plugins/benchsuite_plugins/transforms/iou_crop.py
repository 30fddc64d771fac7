"""The crop of SSD (Liu et al., 2016): one that overlaps objects by a share that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.ops import box_iou
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from benchsuite_plugins.transforms.resizing import image_size


class RandomIoUCrop(v2.RandomIoUCrop):
    """torchvision's, but images without an object, or too small to be cut, stay whole.

    Objects whose centre is not within the crop are dropped. Options are torchvision's.
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = image_size(flat_inputs)
        boxes = [each for each in flat_inputs if isinstance(each, tv_tensors.BoundingBoxes)]
        if not any(map(len, boxes)) or self.min_scale * min(height, width) < 1:
            return {}
        return super().make_params(flat_inputs)


class MinIoURandomCrop(v2.Transform):
    """A rectangle that every object overlaps by a share that is drawn, or the whole image.

    Unlike ``RandomIoUCrop``, objects with their centre outside stay, cut. Detectron2 has it from
    MMDetection.

    Args:
        min_ious: the shares (intersection over union); one of these, 0 and "the whole image" is
            drawn.
        min_crop_size: the least sides of the rectangle, as shares of the image's; neither side is
            more than twice the other.
        mode_trials: how many shares are drawn before the image stays whole.
        crop_trials: how many rectangles are drawn for each.
    """

    def __init__(
        self,
        min_ious: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
        min_crop_size: float = 0.3,
        mode_trials: int = 1000,
        crop_trials: int = 50,
    ) -> None:
        super().__init__()
        if not 0 < min_crop_size <= 1:
            raise ValueError(f"min_crop_size is above 0 and at most 1, not {min_crop_size}")
        self.modes = (1.0, *min_ious, 0.0)
        self.min_crop_size = min_crop_size
        self.mode_trials, self.crop_trials = mode_trials, crop_trials

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = image_size(flat_inputs)
        boxes = next(each for each in flat_inputs if isinstance(each, tv_tensors.BoundingBoxes))
        corners = boxes.as_subclass(Tensor).double()
        for _ in range(self.mode_trials):
            least = self.modes[int(torch.randint(len(self.modes), ()))]
            if least == 1:
                return {}
            for _ in range(self.crop_trials):
                window = self._draw(height, width)
                if window is not None and _fits(window, corners, least):
                    x1, y1, x2, y2 = window
                    return {"top": y1, "left": x1, "height": y2 - y1, "width": x2 - x1}
        return {}

    def _draw(self, height: int, width: int) -> tuple[int, int, int, int] | None:
        """A rectangle in whole pixels, xyxy; ``None``: one that is too long, or empty."""
        u = torch.rand(4, dtype=torch.float64).tolist()
        least = self.min_crop_size
        new_width, new_height = (
            side * (least + (1 - least) * drawn) for side, drawn in zip((width, height), u[:2])
        )
        if not 0.5 <= new_height / new_width <= 2:
            return None
        left, top = (width - new_width) * u[2], (height - new_height) * u[3]
        x1, y1, x2, y2 = int(left), int(top), int(left + new_width), int(top + new_height)
        return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.crop, inpt, **params) if params else inpt


def _fits(window: tuple[int, int, int, int], boxes: Tensor, least: float) -> bool:
    """Whether all boxes overlap the window enough, and the centre of one lies within it."""
    if not len(boxes):
        return True
    rectangle = torch.tensor([window], dtype=boxes.dtype)
    x, y = (boxes[:, :2] + boxes[:, 2:]).T / 2
    x1, y1, x2, y2 = window
    within = (x1 < x) & (x < x2) & (y1 < y) & (y < y2)
    return bool(box_iou(rectangle, boxes).min() >= least) and bool(within.any())

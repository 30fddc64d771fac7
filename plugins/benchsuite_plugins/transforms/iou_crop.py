"""The crop of SSD (Liu et al., 2016): one that overlaps some object by a share that is drawn."""

from __future__ import annotations

from typing import Any

from torchvision import tv_tensors
from torchvision.transforms import v2

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

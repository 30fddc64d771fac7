"""Simple Copy-Paste (Ghiasi et al., 2021): objects of another image are pasted onto this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from benchsuite.training.augmentation.sample_instances import (
    Sample,
    joined_instances,
    mask_boxes,
    of_instances,
    painted_masks,
    with_painted_masks,
)
from benchsuite.training.augmentation.sample_tensors import Boxes, Keypoints

Mask = NDArray[np.bool_]


class SimpleCopyPaste(v2.Transform):
    """Pastes a random subset of another image's objects, where they are in that image.

    Objects beneath lose what is covered of their mask, and their box is made anew round what is
    left; what is covered wholly is dropped. A covered keypoint is labelled but hidden. The semantic
    map is pasted too. Both images have passed the transforms before this one; those of the paper
    are large-scale jitter (``ResizeScale`` and ``FixedSizeCrop``).

    Args:
        prob: how often anything is pasted.
        share: the probability of each of the other image's objects to be pasted.
    """

    examples_needed = 1
    fields_needed = ("masks",)

    def __init__(self, prob: float = 1.0, share: float = 0.5) -> None:
        super().__init__()
        if not (0 <= prob <= 1 and 0 <= share <= 1):
            raise ValueError(f"prob and share are from 0 to 1, unlike {prob} and {share}")
        self.prob, self.share = prob, share

    def forward(self, samples: Sequence[Sample]) -> Sample:
        """The first of two samples, with objects of the second."""
        if float(torch.rand(())) >= self.prob:
            return samples[0]
        sample, source = samples[0], samples[1]
        taken = torch.rand(len(source["labels"])) < self.share
        height, width = sample["boxes"].canvas_size
        pasted = _on_canvas(of_instances(source, taken.numpy()), height, width)
        painted = painted_masks(pasted)
        cover = painted.any(axis=0)
        if not cover.any():
            return sample
        covered = _covered(sample, cover)
        kept = painted.any(axis=(1, 2))
        joined = sample | joined_instances([covered, of_instances(pasted, kept)])
        joined["image"] = _pasted(sample["image"], pasted["image"], cover)
        if "semantic" in sample:
            joined["semantic"] = _pasted(sample["semantic"], pasted["semantic"], cover)
        return joined


def _on_canvas(sample: Sample, height: int, width: int) -> Sample:
    """The sample cut and padded at the right and bottom to a size."""
    own_height, own_width = sample["boxes"].canvas_size
    if (own_height, own_width) == (height, width):
        return sample
    window = {
        "top": 0,
        "left": 0,
        "height": min(height, own_height),
        "width": min(width, own_width),
    }
    padding = [0, 0, width - window["width"], height - window["height"]]
    moved = {
        key: F.pad(F.crop(value, **window), padding)
        for key, value in sample.items()
        if isinstance(value, tv_tensors.TVTensor)
    }
    return sample | moved


def _covered(sample: Sample, cover: Mask) -> Sample:
    """The sample with its objects beneath a cover."""
    painted = painted_masks(sample)
    left = painted & ~cover
    touched = (painted != left).any(axis=(1, 2))
    if touched.any():
        sample = with_painted_masks(sample, touched, left)
        boxes = np.where(touched[:, None], mask_boxes(sample), sample["boxes"].numpy())
        sample["boxes"] = Boxes(boxes, canvas_size=sample["boxes"].canvas_size)
    if "keypoints" in sample:
        sample = sample | {"keypoints": _hidden(sample["keypoints"], cover)}
    return of_instances(sample, ~touched | left.any(axis=(1, 2)))


def _hidden(keypoints: Keypoints, cover: Mask) -> Keypoints:
    """The keypoints, those beneath the cover at most labelled."""
    x, y = np.floor(keypoints.as_subclass(Tensor).numpy()).astype(int).transpose(2, 0, 1)
    height, width = cover.shape
    beneath = cover[y.clip(0, height - 1), x.clip(0, width - 1)]
    visibility = torch.where(
        torch.from_numpy(beneath), keypoints.visibility.clamp(max=1), keypoints.visibility
    )
    return keypoints.with_visibility(keypoints.as_subclass(Tensor), visibility)


def _pasted(below: Any, above: Any, cover: Mask) -> Any:
    chosen = torch.where(
        torch.from_numpy(cover), above.as_subclass(Tensor), below.as_subclass(Tensor)
    )
    return chosen.as_subclass(type(below))

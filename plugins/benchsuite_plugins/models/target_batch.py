"""The truth of a whole batch, held flat: G rows, each with the image it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchsuite.errors import ContractError
from benchsuite.targets import Target, TargetMask

IGNORED_LABEL = -1
"""Semantic label of pixels that do not count."""


@dataclass(frozen=True, slots=True)
class TargetBatch:
    """Targets on the model's device; rows are ordered by image.

    Attributes:
        boxes: (G, 4) float32, xyxy, pixels of the network's input.
        labels: (G,) int64.
        image_index: (G,) int64.
        counts: rows of each of the N images.
        masks: G masks, left as they came, or ``None``.
        keypoints: (G, K, 3) float32: x, y, visibility; or ``None``.
        semantic: (N, H, W) int64 of the padded input's size, -1 where nothing counts; or ``None``.
        generators: what random choices about each of the N images are drawn from.
    """

    boxes: Tensor
    labels: Tensor
    image_index: Tensor
    counts: tuple[int, ...]
    masks: tuple[TargetMask, ...] | None = None
    keypoints: Tensor | None = None
    semantic: Tensor | None = None
    generators: tuple[np.random.Generator, ...] = ()

    def check_labels(self, num_classes: int) -> None:
        """Check that all labels are among a model's categories.

        Raises:
            ContractError: one is not.
        """
        wrong = self.labels[(self.labels < 0) | (self.labels >= num_classes)]
        if len(wrong):
            raise ContractError(
                f"the targets have label {int(wrong[0])}; the model has {num_classes} categories, "
                f"0 to {num_classes - 1}"
            )

    def required_masks(self) -> tuple[TargetMask, ...]:
        """The masks, for a model that learns them.

        Raises:
            ContractError: there are objects, and they have none.
        """
        if self.masks is None and len(self.labels):
            raise ContractError("the model learns masks, and the targets have none")
        return self.masks or ()

    def required_semantic(self) -> Tensor:
        """The semantic maps, for a model that learns them.

        Raises:
            ContractError: there are none.
        """
        if self.semantic is None:
            raise ContractError("the model learns a semantic map, and the targets have none")
        return self.semantic

    def required_keypoints(self, count: int) -> Tensor:
        """The keypoints, (G, ``count``, 3), for a model that learns them.

        Raises:
            ContractError: there are objects, and they have none, or another number.
        """
        if self.keypoints is None and not len(self.labels):
            return self.boxes.new_zeros((0, count, 3))
        if self.keypoints is None:
            raise ContractError("the model learns keypoints, and the targets have none")
        if self.keypoints.shape[1] != count:
            raise ContractError(
                f"the model learns {count} keypoints, the targets have {self.keypoints.shape[1]}"
            )
        return self.keypoints


def collate_targets(targets: Sequence[Target], pixels: Tensor) -> TargetBatch:
    """Targets of the images of a batch.

    An image whose target has no seed gets one from torch's global generator of the CPU.

    Args:
        targets: one an image, in pixels of the image as it lies in the batch.
        pixels: (N, 3, H, W), the padded input.

    Raises:
        ContractError: there are not as many targets as images; some have masks, keypoints or a
            semantic map and others not; a map is larger than the batch.
    """
    if len(targets) != len(pixels):
        raise ContractError(f"{len(targets)} targets for {len(pixels)} images")
    device = pixels.device
    counts = tuple(len(target) for target in targets)
    masks = _those_of_all("masks", targets)
    keypoints = _those_of_all("keypoints", targets)
    image_index = torch.arange(len(targets)).repeat_interleave(torch.tensor(counts))
    return TargetBatch(
        torch.from_numpy(np.concatenate([target.boxes for target in targets])).to(device),
        torch.from_numpy(np.concatenate([target.labels for target in targets])).to(device),
        image_index.to(device),
        counts,
        None if masks is None else tuple(mask for several in masks for mask in several),
        None if keypoints is None else torch.from_numpy(np.concatenate(keypoints)).to(device),
        _pad_semantic(targets, pixels),
        tuple(np.random.default_rng(_seed(target)) for target in targets),
    )


def _seed(target: Target) -> int:
    return int(torch.randint(2**63 - 1, ())) if target.seed is None else target.seed


def _those_of_all(name: str, targets: Sequence[Target]) -> list[Any] | None:
    """A field of those targets that have instances; of others it does not matter."""
    values = {image: getattr(target, name) for image, target in enumerate(targets) if len(target)}
    lacking = [image for image, value in values.items() if value is None]
    if len(lacking) == len(values):
        return None
    if lacking:
        raise ContractError(f"target {lacking[0]} of the batch has no {name}, and others have")
    return list(values.values())


def _pad_semantic(targets: Sequence[Target], pixels: Tensor) -> Tensor | None:
    lacking = [image for image, target in enumerate(targets) if target.semantic is None]
    if len(lacking) == len(targets):
        return None
    if lacking:
        raise ContractError(f"target {lacking[0]} of the batch has no semantic map, others have")
    height, width = pixels.shape[-2:]
    padded = torch.full((len(targets), height, width), IGNORED_LABEL, dtype=torch.int64)
    for image, target in enumerate(targets):
        own_height, own_width = target.semantic.shape
        if own_height > height or own_width > width:
            raise ContractError(
                f"the semantic map of target {image} is {own_height} x {own_width}, "
                f"the padded batch {height} x {width}"
            )
        padded[image, :own_height, :own_width] = torch.from_numpy(target.semantic)
    return padded.to(pixels.device)

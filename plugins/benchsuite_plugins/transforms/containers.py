"""Transforms made of transforms."""

from __future__ import annotations

from collections.abc import Sequence

from torchvision.transforms import v2


def random_apply(tfm_or_aug: v2.Transform, prob: float = 0.5) -> v2.Transform:
    """A transform, or a list of them as ``AugmentationList``, with a probability."""
    return v2.RandomApply([tfm_or_aug], p=prob)


def augmentation_list(augs: Sequence[v2.Transform]) -> v2.Transform:
    """Several transforms, one after the other."""
    return v2.Compose(list(augs))

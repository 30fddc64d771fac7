"""What transforms a recipe's augmentations can name."""

from __future__ import annotations

from benchsuite.specs import TransformSpec


def _transform(name: str, factory: str, summary: str) -> TransformSpec:
    return TransformSpec(
        name=name,
        factory=f"benchsuite_plugins.transforms.{factory}",
        summary=summary,
        licence="Apache-2.0",
    )


TRANSFORMS: list[TransformSpec] = [
    _transform(
        "ResizeShortestEdge",
        "resizing:ResizeShortestEdge",
        "the shorter side becomes one of several lengths, or any of a range",
    ),
    _transform(
        "ResizeScale",
        "resizing:ResizeScale",
        "fitted into a rectangle and scaled by a number of a range (large-scale jitter)",
    ),
    _transform("RandomFlip", "flipping:random_flip", "mirrored with a probability"),
    _transform("RandomApply", "containers:random_apply", "another transform with a probability"),
    _transform("AugmentationList", "containers:augmentation_list", "several transforms in a row"),
    _transform("RandomBrightness", "colours:RandomBrightness", "darker or brighter"),
    _transform("RandomContrast", "colours:RandomContrast", "less or more contrast"),
    _transform("RandomSaturation", "colours:RandomSaturation", "paler or stronger colours"),
    _transform("RandomLighting", "colours:RandomLighting", "light of another colour (AlexNet's)"),
]

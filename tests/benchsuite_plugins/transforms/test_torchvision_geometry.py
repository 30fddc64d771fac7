"""torchvision's transforms under their own names, with new ground that means nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchsuite.plugins import registry
from benchsuite.training.augmentation.augmentation import build_transform

OPTIONS: dict[str, dict[str, Any]] = {
    "RandomRotation": {"degrees": [30, 40], "expand": True},
    "RandomAffine": {"degrees": 20, "translate": [0.3, 0.3], "scale": [0.5, 0.6], "shear": 10},
    "RandomPerspective": {"p": 1.0, "distortion_scale": 0.6},
    "ElasticTransform": {"alpha": 90.0, "sigma": 8.0},
    "RandomZoomOut": {"p": 1.0, "side_range": [1.5, 2.0]},
    "Pad": {"padding": [3, 4, 5, 6]},
}
OTHERS: dict[str, dict[str, Any]] = {
    "RandomChoice": {"transforms": [{"type": "RandomFlip"}, {"type": "CenterCrop", "size": 50}]},
    "RandomOrder": {"transforms": [{"type": "RandomFlip"}, {"type": "RandomInvert"}]},
    "Resize": {"size": [40, 50]},
    "RandomShortestSize": {"min_size": [40, 50]},
    "RandomResize": {"min_size": 40, "max_size": 60},
    "ScaleJitter": {"target_size": [64, 64]},
    "RandomResizedCrop": {"size": [40, 40]},
    "CenterCrop": {"size": 40},
    "RandomPosterize": {"bits": 3},
    "RandomSolarize": {"threshold": 100},
    "RandomAdjustSharpness": {"sharpness_factor": 2},
    "GaussianBlur": {"kernel_size": 5},
    "ColorJitter": {"brightness": 0.4, "hue": 0.1},
}


def square(make_example: Any) -> Any:
    pixels = np.full((60, 80, 3), 40, np.uint8)
    pixels[20:40, 30:50] = 220
    mask = pixels[..., 0] > 128
    outline = np.array([[30.0, 20.0], [50.0, 20.0], [50.0, 40.0], [30.0, 40.0]])
    return make_example(
        60,
        80,
        pixels,
        boxes=[[30, 20, 50, 40]] * 2,
        labels=[0, 1],
        masks=[(outline,), mask],
        keypoints=[[[40, 30, 2]]] * 2,
        semantic=mask.astype(np.int64),
    )


@pytest.mark.parametrize("name", OPTIONS)
def test_new_ground_has_its_colour_and_means_nothing(
    make_example: Any, transformed: Any, name: str
) -> None:
    transform = build_transform({"type": name, "fill": 114, **OPTIONS[name]})
    example = square(make_example)
    for seed in range(4):
        done = transformed(transform, example, seed, recompute_boxes=True)
        new = done.target.semantic == -1
        assert new.any() or name == "ElasticTransform"
        # Interpolation mixes ground and image at their border, and an elastic image has no other.
        if name != "ElasticTransform":
            assert np.mean(done.image.pixels[new] == 114) > 0.85
        assert (done.image.pixels[new] > 40).all()
        bright = done.image.pixels[..., 0] > 170
        if bright.any():
            rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
            tight = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            for box in done.target.boxes:
                np.testing.assert_allclose(box, tight, atol=3 if name == "ElasticTransform" else 2)
            x, y = done.target.keypoints[0, 0, :2].astype(int)
            assert bright[y, x]


def test_each_of_torchvisions_is_registered_under_its_name(
    make_example: Any, transformed: Any
) -> None:
    example = square(make_example)
    names = [
        spec.name
        for spec in registry().transforms.values()
        if spec.factory.startswith("torchvision.")
    ]
    assert len(names) > 15
    for name in names:
        transform = build_transform({"type": name, **OTHERS.get(name, {})})
        assert type(transform).__name__ == name
        done = transformed(transform, example)
        assert done.image.pixels.dtype == np.uint8 and len(done.target) == 2

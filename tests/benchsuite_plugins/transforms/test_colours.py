"""Changes of colour, against values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from benchsuite_plugins.transforms.colours import (
    EIGENVALUES,
    EIGENVECTORS,
    RandomBrightness,
    RandomContrast,
    RandomLighting,
    RandomSaturation,
)

PIXELS = torch.tensor([[[10, 200]], [[20, 100]], [[30, 0]]], dtype=torch.uint8)


def after(transform: Any) -> list[Any]:
    done = transform({"image": tv_tensors.Image(PIXELS)})["image"]
    assert isinstance(done, tv_tensors.Image) and done.dtype == torch.uint8
    return done[:, 0].T.tolist()


@pytest.mark.parametrize("kind", [RandomBrightness, RandomContrast, RandomSaturation])
def test_an_intensity_of_one_changes_nothing(kind: Any) -> None:
    assert after(kind(1.0, 1.0)) == PIXELS[:, 0].T.tolist()


def test_brightness_blends_with_black() -> None:
    assert after(RandomBrightness(0.5, 0.5)) == [[5, 10, 15], [100, 50, 0]]
    assert after(RandomBrightness(1.5, 1.5)) == [[15, 30, 45], [255, 150, 0]]


def test_contrast_blends_with_the_mean() -> None:
    # The mean is 60.
    assert after(RandomContrast(0.5, 0.5)) == [[35, 40, 45], [130, 80, 30]]
    assert after(RandomContrast(2.0, 2.0)) == [[0, 0, 0], [255, 140, 0]]


def test_saturation_blends_with_grey() -> None:
    # 0.299 * 10 + 0.587 * 20 + 0.114 * 30 = 18.15; 59.8 + 58.7 = 118.5.
    assert after(RandomSaturation(0.0, 0.0)) == [[18] * 3, [118] * 3]
    assert after(RandomSaturation(0.5, 0.5)) == [[14, 19, 24], [159, 109, 59]]


def test_lighting_adds_principal_components() -> None:
    torch.manual_seed(1)
    shares = 100 * torch.randn(3).double().numpy()
    torch.manual_seed(1)
    found = np.array(after(RandomLighting(100.0)))
    added = np.array(EIGENVECTORS) @ (shares * np.array(EIGENVALUES))
    wanted = np.clip(PIXELS[:, 0].T.numpy() + added, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(found, wanted)


def test_intensities_lie_between_their_bounds() -> None:
    transform = RandomBrightness(0.8, 1.2)
    drawn = [transform.make_params([])["weight"] for _ in range(200)]
    assert 0.8 <= min(drawn) < 0.83 and 1.17 < max(drawn) <= 1.2


def test_nothing_but_the_image_is_changed() -> None:
    mask = tv_tensors.Mask(PIXELS)
    sample = {"image": tv_tensors.Image(PIXELS), "bitmaps": mask}
    for transform in (RandomBrightness(0.0, 0.0), RandomLighting(9.0)):
        assert transform(sample)["bitmaps"] is mask


def test_intensities_that_descend_are_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        RandomContrast(1.2, 0.8)

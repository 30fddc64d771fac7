"""Changes of colour, as AlexNet (Krizhevsky et al. 2012) and after it Detectron2 define them.

Each blends the image with another: ``(1 - w) * other + w * image``, cut to bytes. ``w`` is uniform
between ``intensity_min`` and ``intensity_max``; below 1 it takes away, above 1 it adds.
torchvision's ``ColorJitter``, another family, takes its contrast from the grey image's mean and
rounds elsewhere.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

LUMA = (0.299, 0.587, 0.114)
"""Red, green and blue in a grey value (ITU-R BT.601)."""

EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
EIGENVALUES = (0.2175, 0.0188, 0.0045)
"""The principal components of ImageNet's colours, of channels from 0 to 1."""


class RandomBlend(v2.Transform):
    """Blends the image with what ``other`` makes of it."""

    _transformed_types = (tv_tensors.Image,)

    def __init__(self, intensity_min: float, intensity_max: float) -> None:
        super().__init__()
        if not 0 <= intensity_min <= intensity_max:
            raise ValueError(
                f"intensities must ascend from 0 on, unlike {intensity_min} and {intensity_max}"
            )
        self.intensity_min, self.intensity_max = intensity_min, intensity_max

    @abstractmethod
    def other(self, image: Tensor) -> Tensor | float:
        """What to blend (3, H, W) float32 with: of a shape that fits it."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        span = self.intensity_max - self.intensity_min
        return {"weight": self.intensity_min + span * float(torch.rand(()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        image = inpt.as_subclass(Tensor).float()
        blended = (1 - params["weight"]) * self.other(image) + params["weight"] * image
        return tv_tensors.Image(_bytes(blended))


class RandomBrightness(RandomBlend):
    """Darker or brighter: blended with black."""

    def other(self, image: Tensor) -> Tensor | float:
        return 0.0


class RandomContrast(RandomBlend):
    """Less or more contrast: blended with the mean of all its channels."""

    def other(self, image: Tensor) -> Tensor | float:
        return image.mean()


class RandomSaturation(RandomBlend):
    """Paler or stronger colours: blended with its grey version."""

    def other(self, image: Tensor) -> Tensor | float:
        return torch.einsum("chw,c->hw", image, torch.tensor(LUMA))


class RandomLighting(v2.Transform):
    """Light of another colour: a normal share of each principal component of ImageNet's colours is
    added.

    Args:
        scale: the standard deviation of the shares, of channels from 0 to 255.
    """

    _transformed_types = (tv_tensors.Image,)

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        shares = self.scale * torch.randn(3)
        return {"added": torch.tensor(EIGENVECTORS) @ (shares * torch.tensor(EIGENVALUES))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        lit = inpt.as_subclass(Tensor).float() + params["added"].view(3, 1, 1)
        return tv_tensors.Image(_bytes(lit))


def _bytes(image: Tensor) -> Tensor:
    return image.clamp(0, 255).to(torch.uint8)

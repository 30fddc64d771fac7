"""Patches of an image as tokens."""

from __future__ import annotations

from torch import Tensor, nn


class PatchEmbed(nn.Module):
    """A convolution whose stride is the patch: (N, 3, H, W) to (N, H / stride, W / stride, C)."""

    def __init__(self, embed_dim: int, kernel_size: int, *, stride: int, padding: int = 0) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, embed_dim, kernel_size, stride=stride, padding=padding)

    def forward(self, images: Tensor) -> Tensor:
        patches: Tensor = self.proj(images)
        return patches.permute(0, 2, 3, 1)

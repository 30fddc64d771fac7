"""The mask branch of Mask R-CNN (He et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import msra_fill, normal_fill
from benchsuite_plugins.models.options import MaskHeadOptions


class MaskHead(nn.Module):
    """3x3 convolutions ``mask_fcn1``, ..., a 2x2 deconvolution, and a 1x1 one to a mask a class."""

    def __init__(self, in_channels: int, num_classes: int, options: MaskHeadOptions) -> None:
        super().__init__()
        self.convs = [f"mask_fcn{index}" for index in range(1, options.num_conv + 1)]
        channels = in_channels
        for name in self.convs:
            conv = Conv2d(
                channels, options.conv_dim, 3, padding=1, norm=options.norm, activation=F.relu_
            )
            msra_fill(conv)
            self.add_module(name, conv)
            channels = options.conv_dim
        self.deconv = nn.ConvTranspose2d(channels, options.conv_dim, 2, stride=2)
        self.predictor = nn.Conv2d(
            options.conv_dim, 1 if options.cls_agnostic_mask else num_classes, 1
        )
        msra_fill(self.deconv)
        normal_fill(self.predictor, std=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(R, C, S, S) to logits (R, K, 2 * S, 2 * S), or (R, 1, ...) for one mask for all."""
        for name in self.convs:
            x = self.get_submodule(name)(x)
        logits: Tensor = self.predictor(F.relu_(self.deconv(x)))
        return logits


def mask_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """The masks of the detected classes.

    Args:
        logits: (R, K, M, M), or (R, 1, M, M) for one mask for all classes.
        labels: (R,) int64.

    Returns:
        (R, M, M) float32.
    """
    return _of_class(logits, labels).sigmoid()


def mask_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """The mean binary cross entropy of all cells of the masks of the true classes; 0 of none.

    Args:
        logits: (R, K, M, M), or (R, 1, M, M) for one mask for all classes.
        labels: (R,) int64.
        targets: (R, M, M) bool.

    Returns:
        () float32.
    """
    chosen = _of_class(logits, labels)
    total = F.binary_cross_entropy_with_logits(chosen, targets.to(chosen), reduction="sum")
    return total / max(chosen.numel(), 1)


def _of_class(logits: Tensor, labels: Tensor) -> Tensor:
    """(R, M, M) float32."""
    rows = torch.arange(len(labels), device=labels.device)
    return (logits[rows, labels] if logits.shape[1] > 1 else logits[:, 0]).float()

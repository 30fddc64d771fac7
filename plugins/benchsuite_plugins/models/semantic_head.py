"""The semantic branch of Panoptic FPN (Kirillov et al., "Panoptic feature pyramid networks",
2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log2

from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import msra_fill
from benchsuite_plugins.models.options import NormName
from benchsuite_plugins.models.target_batch import IGNORED_LABEL
from benchsuite_plugins.models.training_options import SemanticHeadTrainingOptions


@dataclass(frozen=True, slots=True)
class SemanticHeadOptions:
    """The semantic head.

    Attributes:
        convs_dim: channels of its 3x3 convolutions.
        common_stride: input pixels a cell of its output; that of the finest level.
        norm: of the convolutions.
    """

    in_features: tuple[str, ...] = ("p2", "p3", "p4", "p5")
    convs_dim: int = 128
    common_stride: int = 4
    norm: NormName = "GN"
    training: SemanticHeadTrainingOptions = field(default_factory=SemanticHeadTrainingOptions)


class SemanticFPNHead(nn.Module):
    """Each level goes through 3x3 convolutions, a bilinear x2 behind each, up to the common stride;
    the sum goes through a 1x1 convolution.

    Args:
        channels, strides: of each feature map, by name.

    Raises:
        UsageError: an option names a feature map that there is not.
    """

    def __init__(
        self,
        options: SemanticHeadOptions,
        *,
        num_classes: int,
        channels: Mapping[str, int],
        strides: Mapping[str, int],
    ) -> None:
        super().__init__()
        check_names("sem_seg_head.in_features", options.in_features, channels)
        self.in_features = options.in_features
        self.stride = options.common_stride
        self.training_options = options.training
        for name in options.in_features:
            doublings = int(log2(strides[name] / options.common_stride))
            layers: list[nn.Module] = []
            for index in range(max(1, doublings)):
                conv = Conv2d(
                    channels[name] if index == 0 else options.convs_dim,
                    options.convs_dim,
                    3,
                    padding=1,
                    norm=options.norm,
                    activation=F.relu_,
                )
                msra_fill(conv)
                layers.append(conv)
                if doublings:
                    layers.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
            self.add_module(name, nn.Sequential(*layers))
        self.predictor = nn.Conv2d(options.convs_dim, num_classes, 1)
        msra_fill(self.predictor)

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """(N, C, H, W) maps, by name, to logits (N, K, H / stride, W / stride) of the input's size
        H x W."""
        merged: Tensor | None = None
        for name in self.in_features:
            level = self.get_submodule(name)(features[name])
            if merged is None:
                merged = level
            elif merged.requires_grad:  # gradients read the terms
                merged = merged + level
            else:  # new memory of this size costs ten times the sum
                merged += level
        logits: Tensor = self.predictor(merged)
        return logits

    def losses(self, features: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """``loss_sem_seg``, weighted: () float32.

        Args:
            features: (N, C, H, W) maps, by name.
            labels: (N, H, W) int64, of the input's size: a class, or -1 where nothing counts.
        """
        logits = self(features).float()
        logits = F.interpolate(
            logits, scale_factor=self.stride, mode="bilinear", align_corners=False
        )
        total = F.cross_entropy(logits, labels, ignore_index=IGNORED_LABEL, reduction="sum")
        mean = total / (labels != IGNORED_LABEL).sum().clamp(min=1)
        return {"loss_sem_seg": mean * self.training_options.loss_weight}

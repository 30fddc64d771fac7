"""What FCOS is trained on (Tian et al., "FCOS: a simple and strong anchor-free object detector",
2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_kernels.ops.head_maps import anchor_rows
from benchsuite_plugins.models.dense_losses import DenseLosses
from benchsuite_plugins.models.dense_targets import dense_targets
from benchsuite_plugins.models.dense_training_options import FCOSTrainingOptions
from benchsuite_plugins.models.fcos_matcher import FCOSMatcher
from benchsuite_plugins.models.point_coder import PointCoder
from benchsuite_plugins.models.target_batch import TargetBatch


class FCOSLosses(nn.Module):
    """``loss_fcos_cls``, ``loss_fcos_loc`` and ``loss_fcos_ctr``.

    Raises:
        UsageError: a loss that is not registered.
    """

    def __init__(self, options: FCOSTrainingOptions, coder: PointCoder, num_classes: int) -> None:
        super().__init__()
        self.coder = coder
        self.matcher = FCOSMatcher(options.center_sampling_radius)
        self.losses = DenseLosses(options, coder, num_classes)

    def forward(
        self,
        outputs: tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]],
        squares: Sequence[Tensor],
        truth: TargetBatch,
    ) -> dict[str, Tensor]:
        """Losses of N images.

        Args:
            outputs: what ``FCOSHead`` returns.
            squares: a (M, 4) a level: squares as wide as a stride around the points.
        """
        logits, deltas, centerness = outputs
        every = torch.cat(list(squares))
        targets = dense_targets(*self.matcher(squares, truth), truth)
        class_loss, box_loss, divisor = self.losses(logits, deltas, every, targets)
        flat = torch.cat([anchor_rows(level, 1).squeeze(-1) for level in centerness], dim=1)
        centerness_loss = F.binary_cross_entropy_with_logits(
            flat[targets.image, targets.anchor].float(),
            centerness_of(self.coder.encode(targets.boxes, every[targets.anchor])),
            reduction="sum",
        )
        return {
            "loss_fcos_cls": class_loss,
            "loss_fcos_loc": box_loss,
            "loss_fcos_ctr": centerness_loss / divisor,
        }


def centerness_of(distances: Tensor) -> Tensor:
    """How central a point lies in its box: 1 in the middle, 0 on a side.

    Args:
        distances: (R, 4), positive: left, top, right, bottom.

    Returns:
        (R,): the geometric mean, of both axes, of the nearer over the farther side's distance.
    """
    pairs = distances.view(-1, 2, 2)
    return (pairs.amin(dim=1) / pairs.amax(dim=1)).prod(dim=-1).sqrt()

"""Focal loss (Lin et al., "Focal loss for dense object detection", 2017) of independent classes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from benchsuite_kernels import ops


@dataclass(frozen=True, slots=True)
class SigmoidFocalLoss:
    """``-a_t (1 - p_t)^gamma log(p_t)``, p_t being the probability of the truth.

    Attributes:
        alpha: weight of what is there, the rest having ``1 - alpha``; negative: all weigh 1.
        gamma: how fast what is nearly right loses weight; 0: cross entropy.
    """

    alpha: float = 0.25
    gamma: float = 2.0

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of every logit.

        Args:
            logits: any shape.
            targets: the same shape, 1 where the class is there and 0 where not.

        Returns:
            The same shape, unreduced; differentiable once.
        """
        return ops.sigmoid_focal_loss(logits, targets.to(logits.dtype), self.alpha, self.gamma)

    def sum_of_maps(self, logits: Tensor, labels: Tensor, num_classes: int) -> Tensor:
        """The sum over a head's output (see ``LossOfMaps``)."""
        return ops.sigmoid_focal_loss_sum(logits, labels, num_classes, self.alpha, self.gamma)


def create(alpha: float = 0.25, gamma: float = 2.0) -> SigmoidFocalLoss:
    """The factory: the loss with its two settings."""
    return SigmoidFocalLoss(alpha, gamma)

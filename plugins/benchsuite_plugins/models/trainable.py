"""What a model has that trains: losses of a batch, and its parameters in groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from benchsuite.protocols import ParameterGroup
from benchsuite.records import Image
from benchsuite.targets import Target
from benchsuite_plugins.models.image_input import ImageBatch, Preprocessing
from benchsuite_plugins.models.parameter_groups import group_parameters
from benchsuite_plugins.models.target_batch import TargetBatch, collate_targets


class Trainable(nn.Module, ABC):
    """Satisfies ``TrainableModel`` of ``benchsuite.protocols``.

    A subclass says in ``batch_losses`` how a batch becomes losses.
    """

    image_input: Preprocessing

    @abstractmethod
    def batch_losses(self, batch: ImageBatch, truth: TargetBatch) -> dict[str, Tensor]:
        """Every term, weighted: () float32 each."""

    def losses(self, images: Sequence[Image], targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """Losses of at least one image, each as large as the network shall see it.

        Raises:
            ContractError: the targets do not fit the images, or lack what the model learns.
        """
        batch = self.image_input.without_resize(images, next(self.parameters()).device)
        return self.batch_losses(batch, collate_targets(targets, batch.pixels))

    def parameter_groups(self) -> list[ParameterGroup]:
        """All that trains: normalisation layers apart, and the layers of a transformer."""
        return group_parameters(self)

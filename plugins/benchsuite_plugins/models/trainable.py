"""What a model has that trains: losses of a batch, and its parameters in groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from benchsuite.protocols import ParameterGroup
from benchsuite.records import Image
from benchsuite.targets import Target
from benchsuite_plugins.models.federated_predictor import FederatedBoxPredictor
from benchsuite_plugins.models.image_input import ImageBatch, Preprocessing
from benchsuite_plugins.models.layers.recomputable_block import RecomputableBlock
from benchsuite_plugins.models.loss_normalizer import LossNormalizer
from benchsuite_plugins.models.parameter_groups import group_parameters
from benchsuite_plugins.models.target_batch import TargetBatch, collate_targets


class Trainable(nn.Module, ABC):
    """Satisfies ``TrainableModel``, ``StepwiseModel``, ``RecomputingModel`` and ``CountingModel``
    of ``benchsuite.protocols``.

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

    @contextmanager
    def whole_step(self) -> Iterator[None]:
        """Hold together what the losses of a step average over its micro-batches."""
        with ExitStack() as steps:
            for module in self.modules():
                if isinstance(module, LossNormalizer):
                    steps.enter_context(module.whole_step())
            yield

    def recompute_activations(self) -> None:
        """From now on keep of a block of the backbone no more than its input for the backward
        pass."""
        for module in self.modules():
            if isinstance(module, RecomputableBlock):
                module.recompute = True

    def set_image_counts(self, counts: Sequence[int]) -> None:
        """Tell the predictors that draw classes by how common they are."""
        for module in self.modules():
            if isinstance(module, FederatedBoxPredictor):
                module.set_image_counts(counts)

"""Panoptic FPN (Kirillov et al., "Panoptic feature pyramid networks", 2019): Mask R-CNN and a
semantic branch on one ResNet-FPN backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite.errors import ContractError, UsageError
from benchsuite.protocols import ModelRequest
from benchsuite.records import Prediction
from benchsuite.specs import Category
from benchsuite_kernels.dispatch import emulating
from benchsuite_plugins.checkpoints.class_rows import Classes
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.image_input import ImageBatch, ImageInput
from benchsuite_plugins.models.image_model import ImageModel, create_model
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.options import (
    AnchorOptions,
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    MaskHeadOptions,
    ResNetOptions,
    ROIHeadsOptions,
    RPNOptions,
)
from benchsuite_plugins.models.packed_paste import PackedPaste
from benchsuite_plugins.models.panoptic_merge import PanopticOptions, merge_packed, merge_panoptic
from benchsuite_plugins.models.postprocess import detections_to_predictions
from benchsuite_plugins.models.region_heads import RegionHeads
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.roi_heads import ROIHeads
from benchsuite_plugins.models.rpn import RegionProposalNetwork
from benchsuite_plugins.models.semantic_head import SemanticFPNHead, SemanticHeadOptions
from benchsuite_plugins.models.semantic_map import SemanticOutputs, semantic_labels
from benchsuite_plugins.models.target_batch import IGNORED_LABEL, TargetBatch
from benchsuite_plugins.models.trainable import Trainable
from benchsuite_plugins.models.training_options import SemanticHeadTrainingOptions


@dataclass(frozen=True, slots=True)
class PanopticFPNOptions:
    """Panoptic FPN; the defaults are those of the published R50."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(default_factory=ResNetOptions)
    fpn: FPNOptions = field(default_factory=FPNOptions)
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = field(default_factory=RPNOptions)
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = field(default_factory=BoxHeadOptions)
    mask_head: MaskHeadOptions = field(default_factory=MaskHeadOptions)
    sem_seg_head: SemanticHeadOptions = field(
        default_factory=lambda: SemanticHeadOptions(
            training=SemanticHeadTrainingOptions(loss_weight=0.5)
        )
    )
    panoptic: PanopticOptions = field(default_factory=PanopticOptions)


class PanopticSections(Protocol):
    """What the options of every Panoptic FPN hold, whatever looks at its regions."""

    @property
    def input(self) -> InputOptions: ...
    @property
    def resnet(self) -> ResNetOptions: ...
    @property
    def fpn(self) -> FPNOptions: ...
    @property
    def anchors(self) -> AnchorOptions: ...
    @property
    def rpn(self) -> RPNOptions: ...
    @property
    def sem_seg_head(self) -> SemanticHeadOptions: ...
    @property
    def panoptic(self) -> PanopticOptions: ...


@dataclass(frozen=True, slots=True)
class PanopticOutputs:
    """What the two branches leave on the device.

    Attributes:
        detections: in pixels of the resized images; label ``i`` is the ``i``-th thing.
        semantic: class 0 is all things, class ``i`` the ``i``-th stuff, from 1.
    """

    detections: Detections
    semantic: SemanticOutputs


class PanopticFPN(ImageModel, Trainable):
    """Boxes, masks and the panoptic map.

    Args:
        things, stuff: which of the model's categories the classes of the two branches are.
    """

    def __init__(
        self,
        image_input: ImageInput,
        backbone: FPN,
        proposal_generator: RegionProposalNetwork,
        roi_heads: RegionHeads,
        sem_seg_head: SemanticFPNHead,
        *,
        things: Sequence[int],
        stuff: Sequence[int],
        panoptic: PanopticOptions,
    ) -> None:
        super().__init__(image_input)
        self.backbone = backbone
        self.proposal_generator = proposal_generator
        self.roi_heads = roi_heads
        self.sem_seg_head = sem_seg_head
        self.things = tuple(things)
        self.stuff = tuple(stuff)
        self.panoptic = panoptic

    @torch.inference_mode()
    def forward(self, batch: ImageBatch) -> PanopticOutputs:
        """A batch to the raw outputs of both branches, on the same device."""
        features = self.backbone(batch.pixels)
        proposals = self.proposal_generator(features, batch.sizes)
        return PanopticOutputs(
            self.roi_heads(features, proposals, batch.sizes),
            SemanticOutputs(
                self.sem_seg_head(features),
                self.sem_seg_head.stride,
                batch.sizes,
                batch.original_sizes,
            ),
        )

    @torch.inference_mode()
    def postprocess(self, outputs: PanopticOutputs) -> list[Prediction]:
        """Raw outputs to instances and both maps, in pixels of the images as they were given.

        The semantic map is of stuff alone: its branch knows no thing from another, so that pixels
        of things have no category there.
        """
        detections, semantic = outputs.detections, outputs.semantic
        things = torch.tensor(self.things, device=detections.labels.device)
        labelled = replace(detections, labels=things[detections.labels])
        classes = semantic_labels(semantic)
        on_device = classes[0].device.type != "cpu" or emulating()
        merge = self._merged_on_device if on_device else self._merged_on_host
        predictions = merge(labelled, semantic, classes)
        stuff = self._stuff_labels()
        for prediction, labels in zip(predictions, classes, strict=True):
            prediction.semantic = stuff[labels.cpu().numpy()]
        return predictions

    def _merged_on_host(
        self, detections: Detections, semantic: SemanticOutputs, classes: Sequence[Tensor]
    ) -> list[Prediction]:
        predictions = detections_to_predictions(detections, semantic.sizes, semantic.original_sizes)
        for prediction, labels in zip(predictions, classes, strict=True):
            prediction.panoptic = merge_panoptic(
                prediction, labels.numpy(), self.stuff, self.panoptic
            )
        return predictions

    def _merged_on_device(
        self, detections: Detections, semantic: SemanticOutputs, classes: Sequence[Tensor]
    ) -> list[Prediction]:
        paste = PackedPaste()
        predictions = detections_to_predictions(
            detections, semantic.sizes, semantic.original_sizes, paste=paste
        )
        bits = paste.bits.split([len(prediction) for prediction in predictions])
        for prediction, masks, labels in zip(predictions, bits, classes, strict=True):
            prediction.panoptic = merge_packed(masks, prediction, labels, self.stuff, self.panoptic)
        return predictions

    def _stuff_labels(self) -> NDArray[np.uint8] | NDArray[np.int32]:
        """From the semantic branch's classes to labels; "none" for things."""
        labels = np.array([-1, *self.stuff])
        # As Prediction has it: 255 is "none" where all labels are below it.
        narrow = max(*self.stuff, *self.things, 0) < 255
        return labels.astype(np.uint8) if narrow else labels.astype(np.int32)

    def classes(self, categories: Sequence[Category]) -> Classes:
        """The regions' are the things, the pixels' the stuff behind all things as one."""
        return Classes(
            regions=tuple(each.name for each in categories if each.isthing),
            pixels=("things", *(each.name for each in categories if not each.isthing)),
        )

    def batch_losses(self, batch: ImageBatch, truth: TargetBatch) -> dict[str, Tensor]:
        truth = self._in_classes(truth)
        features = self.backbone(batch.pixels)
        semantic = self.sem_seg_head.losses(features, truth.required_semantic())
        proposals, losses = self.proposal_generator.losses(features, batch.sizes, truth)
        heads = self.roi_heads.losses(features, proposals, batch.sizes, truth)
        return {**semantic, **losses, **heads}

    def _in_classes(self, truth: TargetBatch) -> TargetBatch:
        """The truth with each branch's own classes in place of the model's categories.

        Raises:
            ContractError: an instance is of a category that is stuff or that the model does not
                have, or there is no semantic map.
        """
        device = truth.labels.device
        count = len(self.things) + len(self.stuff)
        truth.check_labels(count)
        thing_class = torch.full((count,), IGNORED_LABEL, device=device)
        thing_class[list(self.things)] = torch.arange(len(self.things), device=device)
        labels = thing_class[truth.labels]
        if (labels < 0).any():
            raise ContractError("the targets have instances of categories that are stuff")
        # To the semantic branch all things are class 0; what does not count stays at the end.
        semantic_class = torch.zeros(count + 1, dtype=torch.int64, device=device)
        semantic_class[list(self.stuff)] = torch.arange(1, len(self.stuff) + 1, device=device)
        semantic_class[IGNORED_LABEL] = IGNORED_LABEL
        return replace(truth, labels=labels, semantic=semantic_class[truth.required_semantic()])


def build(options: PanopticFPNOptions, categories: Sequence[Category]) -> PanopticFPN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other, or categories without a thing.
    """

    def make_heads(backbone: FPN, num_classes: int) -> ROIHeads:
        return ROIHeads(
            options.roi_heads,
            options.box_head,
            options.mask_head,
            num_classes=num_classes,
            channels=backbone.channels,
            strides=backbone.strides,
        )

    return build_with(make_heads, options, categories)


def build_with(
    make_heads: Callable[[FPN, int], RegionHeads],
    options: PanopticSections,
    categories: Sequence[Category],
) -> PanopticFPN:
    """Panoptic FPN with any heads for its regions, drawn from torch's global generator.

    Args:
        make_heads: from the backbone and the number of things to the heads.

    Raises:
        UsageError: options that do not fit each other, or categories without a thing.
    """
    things = [label for label, category in enumerate(categories) if category.isthing]
    stuff = [label for label, category in enumerate(categories) if not category.isthing]
    if not things:
        raise UsageError(
            f"a panoptic model detects things, and the {len(categories)} categories are stuff "
            "alone; semantic_fpn does without"
        )
    backbone = FPN(ResNet(options.resnet), options.fpn, LastLevelMaxPool())
    return PanopticFPN(
        ImageInput(options.input, backbone.size_divisibility),
        backbone,
        RegionProposalNetwork(options.rpn, options.anchors, backbone.channels, backbone.strides),
        make_heads(backbone, len(things)),
        SemanticFPNHead(
            options.sem_seg_head,
            num_classes=1 + len(stuff),
            channels=backbone.channels,
            strides=backbone.strides,
        ),
        things=things,
        stuff=stuff,
        panoptic=options.panoptic,
    )


def create(request: ModelRequest) -> PanopticFPN:
    """The factory: ``request.options`` is a ``PanopticFPNOptions`` (``None``: the defaults).

    ``request.categories`` may be in any order: their ``isthing`` tells which branch predicts them.

    Raises:
        UsageError: options that do not fit each other, no categories, or none that is a thing.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or PanopticFPNOptions()
    return create_model(lambda categories: build(options, categories), request)

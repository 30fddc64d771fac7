"""A region proposal network alone (Ren et al., "Faster R-CNN", 2015) on a ResNet's res4."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.options import (
    AnchorOptions,
    InputOptions,
    ResNetOptions,
    RPNOptions,
)
from benchsuite_plugins.models.proposal_network import ProposalNetwork
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.rpn import RegionProposalNetwork
from benchsuite_plugins.models.single_level_sections import ANCHORS, NO_DIVISIBILITY, rpn_on


@dataclass(frozen=True, slots=True)
class ProposalNetworkC4Options:
    """A region proposal network without a pyramid; the defaults are those of the published R50-C4,
    which keeps more proposals than a detector's does."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(default_factory=lambda: ResNetOptions(out_features=("res4",)))
    anchors: AnchorOptions = ANCHORS
    rpn: RPNOptions = field(
        default_factory=lambda: replace(
            rpn_on("res4"), pre_nms_topk_test=12000, post_nms_topk_test=2000
        )
    )


def build(options: ProposalNetworkC4Options) -> ProposalNetwork:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = ResNet(options.resnet)
    return ProposalNetwork(
        ImageInput(options.input, NO_DIVISIBILITY),
        backbone,
        RegionProposalNetwork(options.rpn, options.anchors, backbone.channels, backbone.strides),
    )


def create(request: ModelRequest) -> ProposalNetwork:
    """The factory: ``request.options`` is a ``ProposalNetworkC4Options`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or ProposalNetworkC4Options()
    return create_detector(lambda _: build(options), request)

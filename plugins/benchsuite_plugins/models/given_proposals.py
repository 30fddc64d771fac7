"""Proposals that a detector does not make but is given: from files, or with the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite_plugins.models.boxes import clip_boxes, larger_than
from benchsuite_plugins.models.first_per_image import first_per_image
from benchsuite_plugins.models.image_input import ImageBatch
from benchsuite_plugins.models.instances import Proposals


@dataclass(frozen=True, slots=True)
class GivenProposalsTrainingOptions:
    """Which of the targets' proposals the heads learn from.

    Attributes:
        topk: the first so many of each image.
    """

    topk: int = 2000


@dataclass(frozen=True, slots=True)
class GivenProposalsOptions:
    """Which proposals are looked at.

    Attributes:
        file: a file of proposals for every image that is to be predicted (see ``proposal_file``).
        topk_test: the best so many of each image.
    """

    file: str = ""
    topk_test: int = 1000
    training: GivenProposalsTrainingOptions = field(default_factory=GivenProposalsTrainingOptions)


@dataclass(frozen=True, slots=True)
class ProposalBatch(ImageBatch):
    """Images as the network takes them, and the regions to look at.

    Attributes:
        proposals: in pixels of the resized images.
    """

    proposals: Proposals


def with_proposals(batch: ImageBatch, proposals: Proposals) -> ProposalBatch:
    """The batch, and the regions to look at in it."""
    return ProposalBatch(batch.pixels, batch.sizes, batch.original_sizes, proposals)


def collate_proposals(
    boxes: Sequence[NDArray[np.float32]],
    logits: Sequence[NDArray[np.float32]],
    scales: Tensor,
    sizes: Tensor,
    limit: int,
) -> Proposals:
    """Proposals of the images of a batch: scaled, clipped, without empty ones, the first few.

    Nothing is suppressed: whoever proposed them has done it.

    Args:
        boxes: a (P, 4) an image, xyxy, best first.
        logits: a (P,) an image.
        scales: (N, 2) float64 in host memory, what y and x are multiplied by to be pixels of the
            resized image.
        sizes: (N, 2), height and width of each image before padding.
        limit: at most so many stay of an image.
    """
    device = sizes.device
    counts = torch.tensor([len(own) for own in boxes])
    image_index = torch.arange(len(boxes)).repeat_interleave(counts)
    flat = torch.from_numpy(np.concatenate([np.zeros((0, 4), np.float32), *boxes]))
    # In double precision, as the reference does.
    resized = (flat * scales.flip(1).repeat(1, 2)[image_index]).float().to(device)
    image_index = image_index.to(device)
    ratings = torch.from_numpy(np.concatenate([np.zeros(0, np.float32), *logits])).to(device)
    # Minus infinity would mean that there is no proposal.
    ratings = ratings.clamp(min=torch.finfo(ratings.dtype).min)
    clipped = clip_boxes(resized, sizes[image_index])
    rows = larger_than(clipped, 0).nonzero().squeeze(1)
    rows = rows[first_per_image(image_index[rows], len(boxes), limit)]
    return Proposals(clipped[rows], ratings[rows], image_index[rows])

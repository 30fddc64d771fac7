"""The proposal network without a pyramid: what it proposes, and on odd images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchsuite.protocols import ModelRequest
from benchsuite.records import Image
from benchsuite.specs import Category
from benchsuite_plugins.models.options import InputOptions, ResNetOptions
from benchsuite_plugins.models.proposal_network_c4 import ProposalNetworkC4Options, create

NARROW = ProposalNetworkC4Options(
    input=InputOptions(min_size_test=64, max_size_test=128),
    resnet=ResNetOptions(
        stem_out_channels=4, res2_out_channels=8, width_per_group=4, out_features=("res4",)
    ),
)


@pytest.mark.parametrize("size", [(33, 47), (60, 4), (1, 1)])
def test_regions_lie_in_the_image(
    make_image: Callable[[int, int], Image], size: tuple[int, int]
) -> None:
    model = create(ModelRequest(options=NARROW, categories=(Category(1, "region"),)))
    (prediction,) = model.predict([make_image(*size)])
    height, width = size
    boxes = prediction.boxes
    assert 0 < len(boxes) <= 2000
    assert (boxes >= 0).all() and (boxes[:, 2:] <= [width, height]).all()
    assert (np.diff(prediction.scores) <= 0).all()
    assert set(prediction.labels) == {0}

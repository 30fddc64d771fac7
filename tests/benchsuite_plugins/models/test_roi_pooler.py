"""Both kinds of pooling against torchvision's."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import roi_align

from benchsuite_plugins.models.options import BoxHeadOptions, PoolerType
from benchsuite_plugins.models.roi_pooler import make_pooler

BOXES = torch.tensor(
    [
        [3.0, 5.0, 40.0, 31.0],
        [-4.0, 2.0, 20.0, 70.0],
        [10.0, 10.0, 10.5, 11.0],  # less than a cell
        [60.0, 1.0, 60.0, 1.0],  # nothing at all
    ]
)


@pytest.mark.parametrize(("kind", "aligned"), [("ROIAlignV2", True), ("ROIAlign", False)])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_pooling_is_torchvisions(kind: PoolerType, aligned: bool, sampling_ratio: int) -> None:
    torch.manual_seed(0)
    features = torch.rand(2, 3, 16, 20)
    image_index = torch.tensor([0, 1, 1, 0])
    options = BoxHeadOptions(pooler_type=kind, pooler_sampling_ratio=sampling_ratio)
    pooled = make_pooler(("p2",), {"p2": 4}, options)({"p2": features}, BOXES, image_index)
    rois = torch.cat([image_index[:, None].float(), BOXES], dim=1)
    expected = roi_align(features, rois, 7, 0.25, sampling_ratio, aligned=aligned)
    torch.testing.assert_close(pooled, expected, rtol=0, atol=1e-5)


def test_each_level_moves_by_its_own_half_cell() -> None:
    torch.manual_seed(0)
    features = {"p2": torch.rand(1, 3, 160, 160), "p5": torch.rand(1, 3, 20, 20)}
    boxes = torch.tensor([[8.0, 8.0, 30.0, 30.0], [8.0, 8.0, 600.0, 600.0]])
    options = BoxHeadOptions(pooler_type="ROIAlign", pooler_sampling_ratio=2)
    index = torch.zeros(2, dtype=torch.int64)
    for row, (name, stride) in enumerate((("p2", 4), ("p5", 32))):
        pooler = make_pooler((name,), {name: stride}, options)
        pooled = pooler(features, boxes[row : row + 1], index[:1])
        rois = torch.cat([torch.zeros(1, 1), boxes[row : row + 1]], dim=1)
        expected = roi_align(features[name], rois, 7, 1 / stride, 2, aligned=False)
        torch.testing.assert_close(pooled, expected, rtol=0, atol=1e-5)

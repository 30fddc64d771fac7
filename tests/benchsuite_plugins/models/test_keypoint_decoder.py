"""What the two conventions make of a heat map's best pixel; the pixel itself is the operator's."""

from __future__ import annotations

import torch

from benchsuite_plugins.models.keypoint_decoder import decode_keypoints, find_peaks

MAPS = torch.zeros((1, 2, 8, 8))
MAPS[0, 0, 3, 5] = 2.0
MAPS[0, 1, 7, 0] = 1.0
BOXES = torch.tensor([[10.0, 20.0, 26.0, 52.0]])


def test_detectron2_scores_by_the_share_of_the_map() -> None:
    found = decode_keypoints(MAPS, BOXES)
    logits = find_peaks(MAPS, BOXES)[..., 2]
    assert found.shape == (1, 2, 3) and found.dtype is torch.float32
    shares = 1 / (MAPS - logits[..., None, None]).exp().sum(dim=(2, 3))
    torch.testing.assert_close(found[..., 2], shares)


def test_torchvision_scores_by_the_logit() -> None:
    found = find_peaks(MAPS, torch.tensor([[10.0, 20.0, 18.0, 28.0]]))
    assert found.tolist() == [[[15.5, 23.5, 2.0], [10.5, 27.5, 1.0]]]


def test_autocast_does_not_reach_it() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = decode_keypoints(MAPS, BOXES)
    assert torch.equal(found, decode_keypoints(MAPS, BOXES))

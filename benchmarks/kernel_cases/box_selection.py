"""From a box branch's outputs to candidates: selection alone beside plain torch, and with the
suppression beside torchvision's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.roi_heads import RoIHeads

from benchsuite_kernels import ops
from benchsuite_kernels.ops.box_coding import clipped, coded_boxes
from kernel_cases.inputs import HEIGHT, WIDTH, boxes_of

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def branch(rows: int, classes: int, alone: bool) -> Case:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((rows, classes + 1), generator=generator) * 2
    logits[:, -1] += 6
    deltas = torch.randn((rows, classes * 4), generator=generator)
    boxes, image = boxes_of(rows, 60, 0.2, seed=1), torch.zeros(rows, dtype=torch.int64)
    size = torch.tensor([[float(HEIGHT), float(WIDTH)]])
    peer: Any = SimpleNamespace(
        score_thresh=0.05, box_coder=BoxCoder(WEIGHTS), nms_thresh=0.5, detections_per_img=100
    )
    # Their classes begin with the background.
    their_logits = torch.cat([logits[:, -1:], logits[:, :-1]], dim=1)
    their_deltas = torch.cat([torch.zeros(rows, 4), deltas], dim=1)

    def select() -> tuple[Tensor, Tensor, Tensor]:
        return ops.box_selection(
            logits, deltas, boxes, image, size,
            softmax=True, weights=WEIGHTS, threshold=0.05, limit=8192, min_size=1e-2,
        )  # fmt: skip

    def detect() -> Tensor:
        found, scores, labels = select()
        index, counts = ops.nms_per_image(found, scores, labels, 0.5, 100)
        return found[0, index[0, : int(counts[0])]]

    def theirs() -> Tensor:
        found = RoIHeads.postprocess_detections(
            peer, their_logits, their_deltas, [boxes], [(HEIGHT, WIDTH)]
        )
        own: Tensor = found[0][0]
        return own

    def plain() -> tuple[Tensor, Tensor, Tensor]:
        whole = coded_boxes(deltas.unflatten(1, (-1, 4)), boxes[:, None], WEIGHTS)
        scores = logits.softmax(dim=1)
        finite = scores.isfinite().all(dim=1) & whole.isfinite().flatten(1).all(dim=1)
        region, label = ((scores[:, :-1] > 0.05) & finite[:, None]).nonzero(as_tuple=True)
        own, score = clipped(whole[region, label][None], size)[0], scores[region, label]
        large = (own[:, 2:] - own[:, :2] >= 1e-2).all(dim=1)
        own, score, label = own[large], score[large], label[large]
        order = score.argsort(descending=True, stable=True)
        return own[order], score[order], label[order]

    def near(ours: Tensor, theirs: Tensor) -> None:
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-3)

    def all_near(
        ours: tuple[Tensor, Tensor, Tensor], theirs: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        present = ours[1][0] > 0
        for one, other in zip(ours, theirs, strict=True):
            near(one[0, present], other)

    if alone:
        return Case("torch", select, plain, all_near)
    return Case("torchvision", detect, theirs, near)


CASES = {
    "box_selection/1000x80": lambda: branch(1000, 80, alone=True),
    "box_selection/1000x80_and_nms": lambda: branch(1000, 80, alone=False),
    "dispatch/box_selection": lambda: branch(1, 1, alone=True),
}

"""The box branch of Fast R-CNN (Girshick, 2015): head, predictor, and the choice of detections."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_plugins.models.boxes import clip_boxes
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import msra_fill, normal_fill, xavier_fill
from benchsuite_plugins.models.nms_per_image import nms_per_image
from benchsuite_plugins.models.options import BoxHeadOptions, ROIHeadsOptions


class BoxHead(nn.Module):
    """Convolutions ``conv1``, ... and fully connected layers ``fc1``, ..., each with a ReLU.

    Attributes:
        out_channels: of what it returns.
    """

    def __init__(self, in_channels: int, options: BoxHeadOptions) -> None:
        super().__init__()
        self.layers: list[str] = []
        channels = in_channels
        for index in range(1, options.num_conv + 1):
            conv = Conv2d(
                channels, options.conv_dim, 3, padding=1, norm=options.norm, activation=F.relu_
            )
            msra_fill(conv)
            self._append(f"conv{index}", conv)
            channels = options.conv_dim
        channels *= options.pooler_resolution**2
        for index in range(1, options.num_fc + 1):
            fc = nn.Linear(channels, options.fc_dim)
            xavier_fill(fc)
            self._append(f"fc{index}", fc)
            channels = options.fc_dim
        self.out_channels = channels

    def _append(self, name: str, layer: nn.Module) -> None:
        self.add_module(name, layer)
        self.layers.append(name)

    def forward(self, x: Tensor) -> Tensor:
        """(R, C, S, S) to (R, out_channels)."""
        for name in self.layers:
            layer = self.get_submodule(name)
            x = F.relu_(layer(x.flatten(1))) if isinstance(layer, nn.Linear) else layer(x)
        return x.flatten(1)


class BoxPredictor(nn.Module):
    """Class logits and box deltas of each region.

    Args:
        class_agnostic: one box for all classes, in place of one a class.
    """

    def __init__(self, in_channels: int, num_classes: int, class_agnostic: bool) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_channels, num_classes + 1)
        self.bbox_pred = nn.Linear(in_channels, 4 * (1 if class_agnostic else num_classes))
        normal_fill(self.cls_score, std=0.01)
        normal_fill(self.bbox_pred, std=0.001)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(R, C) to logits (R, K + 1), background last, and deltas (R, K * 4) or (R, 4)."""
        return self.cls_score(x), self.bbox_pred(x)

    def probabilities(self, logits: Tensor) -> Tensor:
        """(R, K + 1) logits to float32 probabilities of the same shape."""
        return class_probabilities(logits)


def select_detections(
    scores: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    options: ROIHeadsOptions,
) -> Detections:
    """The best (region, class) pairs of each image, suppressed class by class.

    A region that has anything not finite is dropped.

    Args:
        scores: (R, K + 1) probabilities, background last.
        boxes: (R, K, 4), or (R, 1, 4) for one box for all classes; not clipped.
        image_index: (R,) int64.
        sizes: (N, 2), height and width of each image before padding.
    """
    finite = scores.isfinite().all(dim=1) & boxes.isfinite().flatten(1).all(dim=1)
    class_scores = scores[:, :-1]
    chosen = (class_scores > options.score_thresh_test) & finite[:, None]
    region, label = chosen.nonzero(as_tuple=True)
    box = boxes[region, label if boxes.shape[1] > 1 else 0]
    image = image_index[region]
    box = clip_boxes(box, sizes[image])
    score = class_scores[region, label]
    kept = nms_per_image(
        box,
        score,
        label,
        image,
        group_count=class_scores.shape[1],
        image_count=len(sizes),
        iou_threshold=options.nms_thresh_test,
        limit=options.detections_per_image,
    )
    return Detections(box[kept], score[kept], label[kept], image[kept])


def class_probabilities(logits: Tensor) -> Tensor:
    """(R, K + 1) logits to float32 probabilities that sum to one."""
    return torch.softmax(logits.float(), dim=-1)

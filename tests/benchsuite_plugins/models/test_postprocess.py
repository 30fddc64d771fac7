from __future__ import annotations

import torch
from pycocotools import mask as coco_mask

from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.postprocess import detections_to_predictions


def detections(boxes: list[list[float]], images: list[int], masks: bool = True) -> Detections:
    count = len(boxes)
    return Detections(
        torch.tensor(boxes).view(-1, 4),
        torch.linspace(1, 0.5, count),
        torch.arange(count),
        torch.tensor(images, dtype=torch.int64),
        torch.ones(count, 28, 28) if masks else None,
    )


def test_boxes_are_scaled_apart_clipped_and_dropped_when_empty() -> None:
    sizes = torch.tensor([[100.0, 50.0], [10.0, 10.0]])
    original = torch.tensor([[50.0, 100.0], [30.0, 20.0]])
    given = detections(
        [[10, 20, 30, 40], [49, 10, 60, 20], [60, 10, 70, 20], [1, 1, 2, 2]], [0, 0, 0, 1]
    )
    first, second = detections_to_predictions(given, sizes, original)
    # Width doubles, height halves; the second box is cut, the third lies outside.
    assert first.boxes.tolist() == [[20, 10, 60, 20], [98, 5, 100, 10]]
    assert first.labels.tolist() == [0, 1] and first.scores[0] == 1
    assert second.boxes.tolist() == [[2, 3, 4, 6]] and second.labels.tolist() == [3]


def test_masks_fill_their_boxes_at_the_original_size() -> None:
    size = torch.tensor([[40.0, 60.0]])
    (prediction,) = detections_to_predictions(detections([[10, 5, 30, 25]], [0]), size, size)
    (mask,) = prediction.masks
    assert mask.size == (40, 60)
    decoded = coco_mask.decode({"size": list(mask.size), "counts": mask.counts})
    assert decoded.sum() == 400 and decoded[5:25, 10:30].all()


def test_image_without_detections_has_an_empty_prediction() -> None:
    sizes = torch.tensor([[8.0, 8.0]] * 3)
    predictions = detections_to_predictions(detections([[1, 1, 5, 5]], [1]), sizes, sizes)
    assert [len(prediction) for prediction in predictions] == [0, 1, 0]
    assert predictions[0].masks == [] and predictions[0].boxes.shape == (0, 4)
    (boxes_alone,) = detections_to_predictions(detections([], [], False), sizes[:1], sizes[:1])
    assert boxes_alone.masks is None

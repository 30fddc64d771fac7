"""Which object each box stands for, by how much they overlap (Ren et al., "Faster R-CNN", 2015,
section 3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

POSITIVE = 1

THREADS = 256
MOST_BLOCKS = 4096
CUDA_THRESHOLDS = 4
"""So many the kernel takes at most."""


def match_shared_boxes(
    boxes: Tensor,
    objects: Tensor,
    object_image: Tensor,
    images: int,
    *,
    thresholds: Sequence[float],
    labels: Sequence[int],
    low_quality_matches: bool,
) -> tuple[Tensor, Tensor]:
    """Match boxes that all images share (anchors) to the objects of each image.

    The intersection over union has areas ``(x2 - x1) * (y2 - y1)``, no +1; where it is not a number
    it is 0.

    Args:
        boxes: (M, 4) floating, xyxy.
        objects: (G, 4), of the same dtype.
        object_image: (G,) int64, ascending, 0 to N - 1: the image that each object is of.
        images: N.
        thresholds: ascending, of intersection over union.
        labels: one more: a box whose largest overlap reaches i of the thresholds gets the i-th.
        low_quality_matches: whether the boxes that overlap an object most of all (ties included)
            get label 1, however little that is; an object that overlaps nothing has none.

    Returns:
        matched: (N, M) int64, the object that each box overlaps most (of equals the first one), a
            row of ``objects``; where it overlaps none, the image's first, which lies behind the
            last row where there is none.
        labels: (N, M) int64.

    Raises:
        ValueError: shapes that do not fit together; on the CPU also images out of order or range.
    """
    _check(boxes, objects, object_image, thresholds, labels)
    matched, label = _operator(
        boxes,
        None,
        objects,
        object_image,
        images,
        list(thresholds),
        list(labels),
        low_quality_matches,
    )
    shape = (images, len(boxes))
    return matched.view(shape), label.view(shape)


def match_boxes(
    boxes: Tensor,
    image_index: Tensor,
    objects: Tensor,
    object_image: Tensor,
    images: int,
    *,
    thresholds: Sequence[float],
    labels: Sequence[int],
    low_quality_matches: bool,
) -> tuple[Tensor, Tensor]:
    """Match boxes (proposals) to the objects of the image that each lies in.

    Args:
        boxes: (R, 4) floating, xyxy.
        image_index: (R,) int64, 0 to N - 1, in any order; ascending is fastest.
        objects, object_image, images, thresholds, labels, low_quality_matches: see
            ``match_shared_boxes``.

    Returns:
        matched: (R,) int64, as ``match_shared_boxes`` gives it.
        labels: (R,) int64.

    Raises:
        ValueError: shapes that do not fit together; on the CPU also images out of order or range.
    """
    _check(boxes, objects, object_image, thresholds, labels)
    if image_index.shape != (len(boxes),):
        raise ValueError(f"image_index {tuple(image_index.shape)} for {len(boxes)} boxes")
    matched, label = _operator(
        boxes,
        image_index,
        objects,
        object_image,
        images,
        list(thresholds),
        list(labels),
        low_quality_matches,
    )
    return matched, label


def _check(
    boxes: Tensor,
    objects: Tensor,
    object_image: Tensor,
    thresholds: Sequence[float],
    labels: Sequence[int],
) -> None:
    if (
        boxes.shape != (len(boxes), 4)
        or objects.shape != (len(objects), 4)
        or object_image.shape != (len(objects),)
        or boxes.dtype != objects.dtype
    ):
        raise ValueError(
            f"boxes {tuple(boxes.shape)} {boxes.dtype}, objects {tuple(objects.shape)} "
            f"{objects.dtype} and object_image {tuple(object_image.shape)} are not (M, 4), (G, 4) "
            "and (G,), the boxes of one dtype"
        )
    if len(labels) != len(thresholds) + 1:
        raise ValueError(f"{len(labels)} labels for {len(thresholds)} thresholds")


def reference(
    boxes: Tensor,
    image_index: Tensor | None,
    objects: Tensor,
    object_image: Tensor,
    images: int,
    thresholds: list[float],
    labels: list[int],
    low_quality_matches: bool,
) -> tuple[Tensor, Tensor]:
    """Both operators by a matrix of overlaps, an image at a time where images share the boxes."""
    _check_images(object_image, image_index, images)
    starts = torch.searchsorted(object_image, torch.arange(images + 1, device=boxes.device))
    if image_index is None:
        results = [
            _match(_overlaps(objects[first:last], boxes), thresholds, labels, low_quality_matches)
            for first, last in torch.stack([starts[:-1], starts[1:]], dim=1).tolist()
        ]
        none = torch.zeros((0, len(boxes)), dtype=torch.int64, device=boxes.device)
        matched = torch.stack([matched for matched, _ in results]) if results else none
        label = torch.stack([label for _, label in results]) if results else none
        return (matched + starts[:-1, None]).flatten(), label.flatten()
    own = object_image[:, None] == image_index
    # Beside what overlaps nothing, objects of other images do not count at all.
    overlaps = _overlaps(objects, boxes).where(own, -1)
    matched, label = _match(overlaps, thresholds, labels, low_quality_matches)
    return matched.where(own.any(dim=0), starts[image_index]), label


def _overlaps(objects: Tensor, boxes: Tensor) -> Tensor:
    """(G, M): the intersection over union of each object with each box."""
    top_left = objects[:, None, :2].maximum(boxes[:, :2])
    bottom_right = objects[:, None, 2:].minimum(boxes[:, 2:])
    common = (bottom_right - top_left).clamp_(min=0).prod(dim=-1)
    areas = [(each[:, 2] - each[:, 0]) * (each[:, 3] - each[:, 1]) for each in (objects, boxes)]
    both = areas[0][:, None] + areas[1] - common
    return (common / both).where((common > 0) & (both > 0), 0)


def _match(
    overlaps: Tensor, thresholds: list[float], labels: list[int], low_quality_matches: bool
) -> tuple[Tensor, Tensor]:
    """Each column's row of the largest overlap, and its label: (M,) int64 both."""
    if not len(overlaps):
        nothing = torch.zeros(overlaps.shape[1], dtype=torch.int64, device=overlaps.device)
        return nothing, nothing + labels[0]
    best, matched = overlaps.max(dim=0)
    bounds = torch.tensor(thresholds, dtype=best.dtype, device=best.device)
    reached = torch.bucketize(best, bounds, right=True)
    label = torch.tensor(labels, device=best.device)[reached]
    if low_quality_matches and overlaps.shape[1]:
        most = overlaps.amax(dim=1, keepdim=True)
        label[((overlaps == most) & (most > 0)).any(dim=0)] = POSITIVE
    return matched, label


def _check_images(object_image: Tensor, image_index: Tensor | None, images: int) -> None:
    if object_image.device.type != "cpu":
        return
    if (object_image.diff() < 0).any():
        raise ValueError("object_image does not ascend")
    for name, index in (("object_image", object_image), ("image_index", image_index)):
        if index is not None and ((index < 0) | (index >= images)).any():
            raise ValueError(f"{name} is not in 0 to {images - 1}")


def _native(
    boxes: Tensor,
    image_index: Tensor | None,
    objects: Tensor,
    object_image: Tensor,
    images: int,
    thresholds: list[float],
    labels: list[int],
    low_quality_matches: bool,
) -> tuple[Tensor, Tensor]:
    if boxes.dtype is not torch.float32:
        return NotImplemented
    count = len(boxes) * (images if image_index is None else 1)
    matched = torch.empty(count, dtype=torch.int64)
    label = torch.empty(count, dtype=torch.int64)
    extension().match_boxes(
        stored(boxes),
        None if image_index is None else stored(image_index),
        stored(objects),
        stored(object_image),
        images,
        thresholds,
        labels,
        low_quality_matches,
        matched,
        label,
        torch.get_num_threads(),
    )
    return matched, label


def _cuda(
    boxes: Tensor,
    image_index: Tensor | None,
    objects: Tensor,
    object_image: Tensor,
    images: int,
    thresholds: list[float],
    labels: list[int],
    low_quality_matches: bool,
) -> tuple[Tensor, Tensor]:
    if boxes.dtype is not torch.float32 or len(thresholds) > CUDA_THRESHOLDS:
        return NotImplemented
    device, shared = boxes.device, image_index is None
    count = len(boxes) * (images if shared else 1)
    matched = torch.empty(count, dtype=torch.int64, device=device)
    label = torch.empty(count, dtype=torch.int64, device=device)
    starts = torch.searchsorted(object_image, torch.arange(images + 1, device=device))
    most = torch.zeros(len(objects), dtype=torch.int32, device=device)
    sizes = (count, len(boxes), images, int(shared))
    places = (
        stored(boxes),
        starts if image_index is None else stored(image_index),
        stored(objects),
        starts,
        most,
    )
    lacking = CUDA_THRESHOLDS - len(thresholds)
    bounds = [*map(float, thresholds), *[float("inf")] * lacking]
    names = [*labels, *[labels[-1]] * lacking]
    shape = {
        "grid": (min(-(-count // THREADS), MOST_BLOCKS), 1, 1),
        "block": (THREADS, 1, 1),
    }
    launch(
        "match_boxes.cu",
        "match_best",
        **shape,
        arguments=(*places, matched, label, *sizes, int(low_quality_matches), *bounds, *names),
    )
    if low_quality_matches:
        launch("match_boxes.cu", "match_nearest", **shape, arguments=(*places, label, *sizes))
    return matched, label


def _fake(
    boxes: Tensor,
    image_index: Tensor | None,
    objects: Tensor,
    object_image: Tensor,
    images: int,
    thresholds: list[float],
    labels: list[int],
    low_quality_matches: bool,
) -> tuple[Tensor, Tensor]:
    count = boxes.shape[0] * (images if image_index is None else 1)
    matched = boxes.new_empty(count, dtype=torch.int64)
    return matched, torch.empty_like(matched)


_operator = register(
    "match_boxes(Tensor boxes, Tensor? image_index, Tensor objects, Tensor object_image, "
    "int images, float[] thresholds, int[] labels, bool low_quality_matches) -> (Tensor, Tensor)",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)

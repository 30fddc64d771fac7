"""Boxes, points and maps as torchvision's transforms see them.

Each class is one of ``torchvision.tv_tensors``, with kernels of its own for the functionals of
``torchvision.transforms.v2``. They call torchvision's where those do the same. Coordinates are
continuous: the image covers [0, W] x [0, H], a pixel's centre lies at +0.5, and a mirrored point
goes from x to W - x (torchvision's own key points are indices of pixels, which go to W - 1 - x).
They are kept in float64 and rounded once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self, cast

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

CanvasSize = tuple[int, int]
"""Height and width of the image."""


class Boxes(tv_tensors.BoundingBoxes):  # type: ignore[misc]
    """Boxes of N instances, one a row: (N, 4) float64, xyxy."""

    def __new__(cls, boxes: Any, *, canvas_size: CanvasSize) -> Self:
        data = torch.as_tensor(boxes, dtype=torch.float64).reshape(-1, 4)
        made = super().__new__(cls, data, format="XYXY", canvas_size=canvas_size)
        return cast(Self, made)

    @classmethod
    def wrap(cls, tensor: Tensor, like: tv_tensors.TVTensor, **kwargs: Any) -> Boxes:
        """What ``tv_tensors.wrap`` makes of a tensor."""
        return cls(tensor, canvas_size=kwargs.get("canvas_size", like.canvas_size))


class SemanticMap(tv_tensors.Mask):  # type: ignore[misc]
    """A semantic map: (H, W) integers, each label raised by one.

    So 0 means that a pixel is to be ignored, and that is what transforms fill new ground with.
    """


class Points(tv_tensors.KeyPoints):  # type: ignore[misc]
    """Points: (..., 2) float64, x and y."""

    def __new__(cls, points: Any, *, canvas_size: CanvasSize) -> Self:
        data = torch.as_tensor(points, dtype=torch.float64)
        return cast(Self, super().__new__(cls, data, canvas_size=canvas_size))

    def moved(self, points: Tensor, canvas_size: CanvasSize | None = None) -> Self:
        """The same points elsewhere; ``canvas_size`` where that has changed."""
        return type(self)(points, canvas_size=canvas_size or self.canvas_size)

    def mirrored(self, points: Tensor) -> Self:
        """The same points in a mirrored image, where they lie at ``points``."""
        return self.moved(points)

    def within_image(self) -> Self:
        """The same points without what has left the image, as far as they can be without it."""
        return self

    @classmethod
    def wrap(cls, tensor: Tensor, like: tv_tensors.TVTensor, **kwargs: Any) -> Points:
        """What ``tv_tensors.wrap`` makes of a tensor."""
        assert isinstance(like, Points)
        return like.moved(tensor, kwargs.get("canvas_size"))

    @classmethod
    def _wrap_output(
        cls, output: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """The result of ``clone``, ``to`` and ``detach``, which stays what it was."""
        like = next(each for each in (*args, *(kwargs or {}).values()) if isinstance(each, cls))
        return cls.wrap(output, like) if isinstance(output, Tensor) else output


class Keypoints(Points):
    """Keypoints of N instances: (N, K, 2) float64.

    Attributes:
        visibility: (N, K) float64: 0 not labelled, 1 hidden, 2 visible.
        flip_pairs: pairs of indices that change places in a mirrored image.
    """

    visibility: Tensor
    flip_pairs: tuple[tuple[int, int], ...]

    def __new__(
        cls,
        points: Any,
        visibility: Any,
        *,
        canvas_size: CanvasSize,
        flip_pairs: tuple[tuple[int, int], ...] = (),
    ) -> Self:
        made = super().__new__(cls, points, canvas_size=canvas_size)
        made.visibility = torch.as_tensor(visibility, dtype=torch.float64)
        made.flip_pairs = flip_pairs
        return made

    def with_visibility(self, points: Tensor, visibility: Tensor) -> Self:
        """Other keypoints of the same layout and image."""
        return type(self)(
            points, visibility, canvas_size=self.canvas_size, flip_pairs=self.flip_pairs
        )

    def moved(self, points: Tensor, canvas_size: CanvasSize | None = None) -> Self:
        size = canvas_size or self.canvas_size
        return type(self)(points, self.visibility, canvas_size=size, flip_pairs=self.flip_pairs)

    def mirrored(self, points: Tensor) -> Self:
        order = list(range(self.shape[1]))
        for a, b in self.flip_pairs:
            order[a], order[b] = b, a
        return self.with_visibility(points[:, order], self.visibility[:, order])

    def within_image(self) -> Self:
        """The same; those that do not lie in the image are not labelled."""
        points = self.as_subclass(Tensor)
        height, width = self.canvas_size
        inside = ((points >= 0) & (points <= torch.tensor([width, height]))).all(dim=-1)
        return self.with_visibility(points, self.visibility * inside)


class Regions(Points):
    """Regions that are no instances, such as proposals: (P, 4, 2) float64, their corners."""

    @classmethod
    def of_boxes(cls, boxes: Any, canvas_size: CanvasSize) -> Self:
        """Regions of (P, 4) boxes, xyxy."""
        data = torch.as_tensor(boxes, dtype=torch.float64).reshape(-1, 4)
        return cls(data[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2), canvas_size=canvas_size)

    def boxes(self) -> Tensor:
        """(P, 4) float64, xyxy: round the corners."""
        corners = self.as_subclass(Tensor)
        return torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=1)


# --- kernels ------------------------------------------------------------------------------------


def _move_boxes(functional: Callable[..., Any], boxes: Boxes, *args: Any, **kwargs: Any) -> Boxes:
    data = boxes.as_subclass(Tensor)
    plain = tv_tensors.BoundingBoxes(data, format="XYXY", canvas_size=boxes.canvas_size)
    moved = functional(plain, *args, **kwargs)
    return Boxes(moved.as_subclass(Tensor), canvas_size=moved.canvas_size)


def _move_points(
    functional: Callable[..., Any], points: Points, *args: Any, **kwargs: Any
) -> Points:
    plain = tv_tensors.KeyPoints(points.as_subclass(Tensor), canvas_size=points.canvas_size)
    moved = functional(plain, *args, **kwargs)
    return points.moved(moved.as_subclass(Tensor), moved.canvas_size)


def _cut_points(
    functional: Callable[..., Any], points: Points, *args: Any, **kwargs: Any
) -> Points:
    return _move_points(functional, points, *args, **kwargs).within_image()


def _resized(canvas: CanvasSize, size: Any, max_size: int | None) -> tuple[CanvasSize, Tensor]:
    """The canvas after a resize, and the factors of x and y: (2,) float64."""
    none = torch.empty((0, 2))
    _, resized = F.resize_keypoints(none, size, canvas_size=canvas, max_size=max_size)
    factors = [resized[1] / canvas[1], resized[0] / canvas[0]]
    return resized, torch.tensor(factors, dtype=torch.float64)


def _resize_boxes(boxes: Boxes, size: Any, max_size: int | None = None, **_: Any) -> Boxes:
    canvas, factors = _resized(boxes.canvas_size, size, max_size)
    return Boxes(boxes.as_subclass(Tensor) * factors.repeat(2), canvas_size=canvas)


def _resize_points(points: Points, size: Any, max_size: int | None = None, **_: Any) -> Points:
    canvas, factors = _resized(points.canvas_size, size, max_size)
    return points.moved(points.as_subclass(Tensor) * factors, canvas)


def _flip_points(axis: int, points: Points) -> Points:
    flipped = points.as_subclass(Tensor).clone()
    flipped[..., axis] = points.canvas_size[1 - axis] - flipped[..., axis]
    return points.mirrored(flipped)


def _rotate_points(
    points: Points, angle: float, expand: bool = False, center: list[float] | None = None, **_: Any
) -> Points:
    canvas = points.canvas_size
    # An expanded image is always turned about its centre.
    about = None if expand else center
    rotated, _ = F.rotate_keypoints(points.as_subclass(Tensor), canvas, angle, center=about)
    if not expand:
        return points.moved(rotated).within_image()
    # torchvision expands images to another size than their boxes and points: the image's is asked.
    shape = F.rotate_image(torch.empty((1, *canvas), device="meta"), angle, expand=True).shape
    height, width = int(shape[-2]), int(shape[-1])
    shift = torch.tensor([width - canvas[1], height - canvas[0]], dtype=torch.float64) / 2
    return points.moved(rotated + shift, (height, width))


def _rotate_boxes(boxes: Boxes, *args: Any, **kwargs: Any) -> Boxes:
    corners = Regions.of_boxes(boxes.as_subclass(Tensor), boxes.canvas_size)
    rotated = _rotate_points(corners, *args, **kwargs)
    assert isinstance(rotated, Regions)
    whole = Boxes(rotated.boxes(), canvas_size=rotated.canvas_size)
    return Boxes(F.clamp_bounding_boxes(whole).as_subclass(Tensor), canvas_size=whole.canvas_size)


F.register_kernel(F.resize, Boxes)(_resize_boxes)
F.register_kernel(F.resize, Points)(_resize_points)
F.register_kernel(F.rotate, Boxes)(_rotate_boxes)
F.register_kernel(F.rotate, Points)(_rotate_points)
F.register_kernel(F.pad, Boxes)(partial(_move_boxes, F.pad))
F.register_kernel(F.pad, Points)(partial(_move_points, F.pad))
for _axis, _flip in enumerate((F.horizontal_flip, F.vertical_flip)):
    F.register_kernel(_flip, Boxes)(partial(_move_boxes, _flip))
    F.register_kernel(_flip, Points)(partial(_flip_points, _axis))
for _cut in (F.crop, F.center_crop, F.resized_crop, F.affine, F.perspective, F.elastic):
    # What leaves the image is gone, even where a later transform makes it larger again.
    F.register_kernel(_cut, Boxes)(partial(_move_boxes, _cut))
    F.register_kernel(_cut, Points)(partial(_cut_points, _cut))

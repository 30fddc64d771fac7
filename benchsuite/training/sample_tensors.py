"""Boxes, points and maps as torchvision's transforms see them.

Each class is one of ``torchvision.tv_tensors`` and has kernels of its own where torchvision's have
another convention, or round more. Coordinates are continuous: the image covers [0, W] x [0, H], a
pixel's centre lies at +0.5, and a mirrored point goes from x to W - x (torchvision's own key points
are indices of pixels, which go to W - 1 - x). They are kept in float64 and rounded once, at the
end.
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

CUTTING: tuple[Callable[..., Any], ...] = (
    F.crop,
    F.center_crop,
    F.resized_crop,
    F.rotate,
    F.affine,
    F.perspective,
    F.elastic,
)
"""What may move parts of an image out of it. They are gone from then on, even where a later
transform makes the image larger again."""


class Boxes(tv_tensors.BoundingBoxes):  # type: ignore[misc]
    """Boxes of N instances, one a row: (N, 4) float64, xyxy."""

    def __new__(cls, boxes: Any, *, canvas_size: CanvasSize) -> Self:
        data = torch.as_tensor(boxes, dtype=torch.float64).reshape(-1, 4)
        made = super().__new__(cls, data, format="XYXY", canvas_size=canvas_size)
        return cast(Self, made)


class SemanticMap(tv_tensors.Mask):  # type: ignore[misc]
    """A semantic map: (H, W) integers, each label raised by one.

    So 0 means that a pixel is to be ignored, and that is what transforms fill new ground with.
    """


class Points(tv_tensors.KeyPoints):  # type: ignore[misc]
    """Points: (..., 2) float64, x and y."""

    def __new__(cls, points: Any, *, canvas_size: CanvasSize) -> Self:
        data = torch.as_tensor(points, dtype=torch.float64)
        return cast(Self, cls._wrap(data, canvas_size=canvas_size))

    @classmethod
    def _wrap_output(
        cls, output: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """The result of ``clone``, ``to`` and ``detach``, which stays what it was."""
        like = next(each for each in (*args, *(kwargs or {}).values()) if isinstance(each, cls))
        if isinstance(output, Tensor) and not isinstance(output, cls):
            return cls.wrap(output, like)
        return output


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

    @classmethod
    def wrap(cls, tensor: Tensor, like: tv_tensors.KeyPoints, **kwargs: Any) -> Keypoints:
        """A tensor with what ``like`` says beside its coordinates; ``kwargs`` go before it."""
        assert isinstance(like, Keypoints)
        return cls(
            tensor,
            kwargs.get("visibility", like.visibility),
            canvas_size=kwargs.get("canvas_size") or like.canvas_size,
            flip_pairs=like.flip_pairs,
        )

    def mirrored(self, moved: Points) -> Keypoints:
        """These keypoints where ``moved`` has them, left and right exchanged."""
        order = list(range(self.shape[1]))
        for a, b in self.flip_pairs:
            order[a], order[b] = b, a
        points = moved.as_subclass(Tensor)[:, order]
        return Keypoints.wrap(points, self, visibility=self.visibility[:, order])

    def without_those_outside(self) -> Keypoints:
        """The same; those that do not lie in the image are not labelled."""
        points = self.as_subclass(Tensor)
        limits = torch.tensor([self.canvas_size[1], self.canvas_size[0]], dtype=points.dtype)
        inside = ((points >= 0) & (points <= limits)).all(dim=-1)
        return Keypoints.wrap(points, self, visibility=self.visibility * inside)


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


def as_points(points: Points) -> Points:
    """The coordinates alone, to be handed to torchvision's functionals."""
    return Points(points.as_subclass(Tensor), canvas_size=points.canvas_size)


def _resized(canvas: CanvasSize, size: Any, max_size: int | None) -> tuple[CanvasSize, Tensor]:
    """The canvas after a resize, and the factors of x and y: (2,) float64."""
    none = torch.empty((0, 2))
    _, resized = F.resize_keypoints(none, size, canvas_size=canvas, max_size=max_size)
    factors = [resized[1] / canvas[1], resized[0] / canvas[0]]
    return resized, torch.tensor(factors, dtype=torch.float64)


def _resize_boxes(boxes: Boxes, size: Any, max_size: int | None = None, **_: Any) -> Any:
    canvas, factors = _resized(boxes.canvas_size, size, max_size)
    scaled = boxes.as_subclass(Tensor) * factors.repeat(2)
    return tv_tensors.wrap(scaled, like=boxes, canvas_size=canvas)


def _resize_points(points: Points, size: Any, max_size: int | None = None, **_: Any) -> Any:
    canvas, factors = _resized(points.canvas_size, size, max_size)
    scaled = points.as_subclass(Tensor) * factors
    return tv_tensors.wrap(scaled, like=points, canvas_size=canvas)


def _flip_points_horizontally(points: Points) -> Any:
    flipped = points.as_subclass(Tensor).clone()
    flipped[..., 0] = points.canvas_size[1] - flipped[..., 0]
    return tv_tensors.wrap(flipped, like=points)


def _flip_points_vertically(points: Points) -> Any:
    flipped = points.as_subclass(Tensor).clone()
    flipped[..., 1] = points.canvas_size[0] - flipped[..., 1]
    return tv_tensors.wrap(flipped, like=points)


def _rotated(
    points: Tensor, canvas: CanvasSize, angle: float, expand: bool, center: list[float] | None
) -> tuple[Tensor, CanvasSize]:
    """Points rotated with their image.

    torchvision's kernels for boxes and points expand the canvas to another size than its kernel for
    images does, so that one is asked, and its centre goes to the new centre.
    """
    rotated, _ = F.rotate_keypoints(points, canvas, angle, center=None if expand else center)
    if not expand:
        return rotated, canvas
    shape = F.rotate_image(torch.empty((1, *canvas), device="meta"), angle, expand=True).shape
    height, width = int(shape[-2]), int(shape[-1])
    moved = torch.tensor([width - canvas[1], height - canvas[0]], dtype=points.dtype) / 2
    return rotated + moved, (height, width)


def _rotate_points(
    points: Points, angle: float, expand: bool = False, center: list[float] | None = None, **_: Any
) -> Any:
    data = points.as_subclass(Tensor)
    rotated, canvas = _rotated(data, points.canvas_size, angle, expand, center)
    return tv_tensors.wrap(rotated, like=points, canvas_size=canvas)


def _rotate_boxes(
    boxes: Boxes, angle: float, expand: bool = False, center: list[float] | None = None, **_: Any
) -> Any:
    corners = Regions.of_boxes(boxes.as_subclass(Tensor), boxes.canvas_size)
    rotated = _rotate_points(corners, angle, expand, center)
    whole = tv_tensors.wrap(rotated.boxes(), like=boxes, canvas_size=rotated.canvas_size)
    return F.clamp_bounding_boxes(whole)


def _flip_keypoints_horizontally(keypoints: Keypoints) -> Keypoints:
    return keypoints.mirrored(F.horizontal_flip(as_points(keypoints)))


def _flip_keypoints_vertically(keypoints: Keypoints) -> Keypoints:
    return keypoints.mirrored(F.vertical_flip(as_points(keypoints)))


def _move_keypoints(
    functional: Callable[..., Any], keypoints: Keypoints, /, *args: Any, **kwargs: Any
) -> Keypoints:
    moved = functional(as_points(keypoints), *args, **kwargs)
    points = moved.as_subclass(Tensor)
    wrapped = Keypoints.wrap(points, keypoints, canvas_size=moved.canvas_size)
    return wrapped.without_those_outside()


F.register_kernel(F.resize, Boxes)(_resize_boxes)
F.register_kernel(F.resize, Points)(_resize_points)
F.register_kernel(F.horizontal_flip, Points)(_flip_points_horizontally)
F.register_kernel(F.vertical_flip, Points)(_flip_points_vertically)
F.register_kernel(F.rotate, Boxes)(_rotate_boxes)
F.register_kernel(F.rotate, Points)(_rotate_points)
F.register_kernel(F.horizontal_flip, Keypoints)(_flip_keypoints_horizontally)
F.register_kernel(F.vertical_flip, Keypoints)(_flip_keypoints_vertically)
for _functional in CUTTING:
    F.register_kernel(_functional, Keypoints)(partial(_move_keypoints, _functional))

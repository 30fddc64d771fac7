"""A prediction drawn into its image: maps, masks, boxes, keypoints and labels.

A pixel ``(i, j)`` covers ``[i, i + 1) x [j, j + 1)``, so that a box ``(10, 20, 30, 40)`` is drawn
along the pixels 10 to 29 and 20 to 39. Line widths and type grow with the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw

from benchsuite.drawing_style import BLACK, WHITE, Colour, Style, colour_of
from benchsuite.errors import ContractError
from benchsuite.label_plates import Plates, pixel_box
from benchsuite.records import RLE, Image, Prediction
from benchsuite.specs import Category, KeypointLayout
from benchsuite_kernels.columns import rle

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

MASK_OPACITY = 0.42
MAP_OPACITY = 0.55
_LABELLED_SHARE = 0.004
"""The share of the image that a region of a map must cover to be labelled."""


def draw_prediction(
    image: Image,
    prediction: Prediction,
    categories: Sequence[Category],
    *,
    minimum_score: float = 0.5,
    keypoints: KeypointLayout | None = None,
) -> Picture.Image:
    """The image with what was predicted in it.

    Args:
        image: the image, (H, W, 3) uint8.
        prediction: boxes, masks, keypoints and maps of that image.
        categories: what the labels mean.
        minimum_score: instances below it are left out. Maps are drawn whole.
        keypoints: which keypoints are joined by a line; ``None``: none are.

    Returns:
        An RGB picture of the image's size.

    Raises:
        ContractError: a mask or map is of another size than the image.
    """
    shown = [i for i in range(len(prediction)) if prediction.scores[i] >= minimum_score]
    names = [_name(categories, int(label)) for label in prediction.labels]
    # The surest last: its label may cover another's.
    labels = {
        i: f"{names[i]} {prediction.scores[i]:.2f}"
        for i in sorted(shown, key=lambda i: float(prediction.scores[i]))
    }
    return draw_labelled(image, prediction, categories, labels, keypoints=keypoints)


def draw_labelled(
    image: Image,
    prediction: Prediction,
    categories: Sequence[Category],
    labels: Mapping[int, str],
    *,
    keypoints: KeypointLayout | None = None,
) -> Picture.Image:
    """As ``draw_prediction``, of the instances that have a label.

    Args:
        labels: an instance's row to what is written at it; the last are written last.
    """
    style = Style.of(image.width, image.height)
    pixels = image.pixels.copy()
    regions = [*_semantic_regions(image, prediction), *_panoptic_regions(image, prediction)]
    for region in regions:
        _fill(pixels, region.mask, colour_of(region.label), MAP_OPACITY, outline=0)
    for region in regions:
        _fill(pixels, region.mask, WHITE, 0.0, outline=max(1, style.line // 2))
    order = _largest_first(prediction, labels)
    for i in order:
        if prediction.masks is not None:
            mask = _mask(image, prediction.masks[i])
            colour = colour_of(int(prediction.labels[i]))
            _fill(pixels, mask, colour, MASK_OPACITY, outline=style.line)
    picture = Picture.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for i in order:
        _draw_box(draw, prediction.boxes[i], colour_of(int(prediction.labels[i])), style, image)
    if prediction.keypoints is not None:
        skeleton = keypoints.skeleton if keypoints is not None else ()
        for i in order:
            colour = colour_of(int(prediction.labels[i]))
            _draw_keypoints(picture, prediction.keypoints[i], skeleton, colour, style)
    plates = Plates(ImageDraw.Draw(picture), image.width, image.height, style)
    for region in regions:
        if region.mask.sum() >= _LABELLED_SHARE * region.mask.size:
            name = _name(categories, region.label)
            plates.centred(name, _inner_point(region.mask), colour_of(region.label))
    for i, text in labels.items():
        plates.at_box(text, prediction.boxes[i], colour_of(int(prediction.labels[i])))
    return picture


# --- maps and masks -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Region:
    label: int
    mask: Mask


def _semantic_regions(image: Image, prediction: Prediction) -> Iterator[_Region]:
    if prediction.semantic is None:
        return
    labels = np.asarray(prediction.semantic)
    _check_size("semantic", labels, image)
    none = 255 if labels.dtype == np.uint8 else -1
    for label in np.unique(labels):
        if label != none:
            yield _Region(int(label), labels == label)


def _panoptic_regions(image: Image, prediction: Prediction) -> Iterator[_Region]:
    if prediction.panoptic is None:
        return
    ids = np.asarray(prediction.panoptic.ids)
    _check_size("panoptic", ids, image)
    for segment in prediction.panoptic.segments:
        mask = ids == segment.id
        if mask.any():
            yield _Region(segment.label, mask)


def _mask(image: Image, mask: RLE | NDArray[np.bool_]) -> Mask:
    array = rle.decode(mask.counts, mask.size) if isinstance(mask, RLE) else np.asarray(mask)
    _check_size("masks", array, image)
    return np.ascontiguousarray(array, dtype=np.bool_)


def _check_size(name: str, array: NDArray[np.generic], image: Image) -> None:
    if array.shape != (image.height, image.width):
        raise ContractError(
            f"Prediction.{name} has shape {array.shape}, image {image.record.id} is "
            f"{image.height} high and {image.width} wide"
        )


def _fill(pixels: Pixels, mask: Mask, colour: Colour, opacity: float, *, outline: int) -> None:
    """Tints the pixels of a mask, and paints its inner border ``outline`` pixels wide."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return
    window = np.s_[
        max(rows[0] - 1, 0) : rows[-1] + 2,
        max(columns[0] - 1, 0) : columns[-1] + 2,
    ]
    part, inside = pixels[window], mask[window]
    tint = np.array(colour, dtype=np.float64)
    part[inside] = np.rint((1 - opacity) * part[inside] + opacity * tint).astype(np.uint8)
    if outline:
        part[inside & ~_eroded(inside, outline)] = colour


def _eroded(mask: Mask, steps: int) -> Mask:
    """The mask without the pixels within ``steps`` (city-block) of its border.

    Where the array ends the mask is taken to go on: an object that the image cuts off has no border
    there.
    """
    kept = mask
    for _ in range(steps):
        wide = np.pad(kept, 1, mode="edge")
        kept = kept & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return kept


def _inner_point(mask: Mask) -> tuple[float, float]:
    """(x, y): the pixel of a region that is nearest to its centre of mass."""
    ys, xs = np.nonzero(mask)
    nearest = int(np.argmin((xs - xs.mean()) ** 2 + (ys - ys.mean()) ** 2))
    return float(xs[nearest]), float(ys[nearest])


# --- boxes and keypoints ------------------------------------------------------------------------


def _largest_first(prediction: Prediction, shown: Iterable[int]) -> list[int]:
    """Instances in the order they are drawn in, so that small ones stay in sight."""
    sides = np.clip(prediction.boxes[:, 2:] - prediction.boxes[:, :2], 0, None)
    areas = sides.prod(axis=1)
    return sorted(shown, key=lambda i: (-float(areas[i]), i))


def _draw_box(
    draw: ImageDraw.ImageDraw, box: NDArray[np.float32], colour: Colour, style: Style, image: Image
) -> None:
    left, top, right, bottom = pixel_box(box, image.width, image.height)
    draw.rectangle((left, top, right, bottom), outline=colour, width=style.line)


def _draw_keypoints(
    picture: Picture.Image,
    points: NDArray[np.float32],
    skeleton: Sequence[tuple[int, int]],
    colour: Colour,
    style: Style,
) -> None:
    """Joints and the lines between them, smooth; a keypoint of score 0 or less was not found."""
    found = (points[:, 2] > 0) & np.isfinite(points).all(axis=1)
    if not found.any():
        return
    margin = style.joint + 2
    low = np.floor(points[found, :2].min(axis=0)).astype(int) - margin
    high = np.ceil(points[found, :2].max(axis=0)).astype(int) + margin
    left, top = np.maximum(low, 0).tolist()
    right, bottom = np.minimum(high, (picture.width, picture.height)).tolist()
    if right <= left or bottom <= top:
        return
    finer = 3 if (right - left) * (bottom - top) < 4_000_000 else 1
    window = picture.crop((left, top, right, bottom))
    enlarged = window.resize((finer * window.width, finer * window.height), Picture.Resampling.BOX)
    draw = ImageDraw.Draw(enlarged)

    def place(i: int) -> tuple[float, float]:
        return finer * (float(points[i, 0]) - left), finer * (float(points[i, 1]) - top)

    joined = [(a, b) for a, b in skeleton if max(a, b) < len(points) and found[a] and found[b]]
    for width, shade in ((style.line + 2, BLACK), (style.line, colour)):
        for a, b in joined:
            draw.line((place(a), place(b)), fill=shade, width=finer * width)
    for i in np.flatnonzero(found).tolist():
        x, y = place(i)
        for radius, shade in ((style.joint, BLACK), (style.joint - 1, WHITE)):
            reach = finer * radius
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=shade)
    picture.paste(enlarged.resize(window.size, Picture.Resampling.BOX), (left, top))


def _name(categories: Sequence[Category], label: int) -> str:
    return categories[label].name if 0 <= label < len(categories) else f"label {label}"

"""Synthetic truth and detections of realistic statistics, as arrays, from a seed.

Images hold a few themes (categories) each. A detector finds most objects, some of them twice,
places and scores them with noise, and adds false ones in the image's themes and elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

HEIGHTS, WIDTHS = np.array([480, 640, 427, 480]), np.array([640, 480, 640, 640])
MOST_THEMES = 8
THEME_SHARES = 0.55 * 0.45 ** np.arange(MOST_THEMES)
SIDE_MEDIAN, SIDE_SPREAD = 42.0, 1.17
"""Of objects' sides, in pixels and of the logarithm: 41% are small, 24% large by COCO's areas."""
SHAPE_WAVES = 6
"""Numbers that describe an object's outline; see ``outlines``."""


@dataclass(frozen=True)
class SceneSize:
    """How much to make.

    Attributes:
        images, truths, detections, crowds, categories: how many, in all.
        per_image: most detections of an image.
        themes: categories that an image may be about.
        skew: how much more frequent the first categories are: the exponent of Zipf's law.
    """

    images: int
    truths: int
    detections: int
    categories: int
    crowds: int = 0
    per_image: int = 100
    themes: int = 4
    skew: float = 1.0

    def scaled(self, scale: float) -> SceneSize:
        counts = {
            name: max(1, round(getattr(self, name) * scale))
            for name in ("images", "truths", "detections")
        }
        rest = {name: getattr(self, name) for name in ("categories", "per_image", "themes", "skew")}
        return SceneSize(**counts, crowds=round(self.crowds * scale), **rest)


@dataclass(frozen=True)
class Objects:
    """Truths or detections, by image.

    Attributes:
        images: (N,), places among the images, ascending.
        categories: (N,), places among the categories.
        boxes: (N, 4) ``x, y, width, height``, hundredths of pixels.
        shapes: (N, SHAPE_WAVES), see ``outlines``.
        scores: (N,), of truths all 1.
        sources: (N,), the truth that a detection is of, -1 for none; of a truth its place.
        crowd: (N,) bool.
    """

    images: Ints
    categories: Ints
    boxes: Floats
    shapes: Floats
    scores: Floats
    sources: Ints
    crowd: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Ints) -> Objects:
        return Objects(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Scene:
    """Images (heights and widths, (I,) each), truths and detections of them."""

    size: SceneSize
    heights: Ints
    widths: Ints
    truths: Objects
    detections: Objects


def make_scene(size: SceneSize, seed: int) -> Scene:
    """The same for the same size and seed."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, len(HEIGHTS), size.images)
    heights, widths = HEIGHTS[kind].astype(np.int64), WIDTHS[kind].astype(np.int64)
    popularity = 1 / (np.arange(size.categories) + 2.0) ** size.skew
    popularity /= popularity.sum()
    themes = random.choice(size.categories, (size.images, size.themes), p=popularity)
    truths = _truths(random, size, themes, heights, widths)
    detections = _detections(random, size, themes, heights, widths, truths)
    return Scene(size, heights, widths, truths, detections)


def _truths(
    random: np.random.Generator, size: SceneSize, themes: Ints, heights: Ints, widths: Ints
) -> Objects:
    crowdedness = random.gamma(1.2, size=size.images) + 0.02
    images = np.sort(random.choice(size.images, size.truths, p=crowdedness / crowdedness.sum()))
    boxes = _new_boxes(random, images, heights, widths)
    crowd = np.zeros(size.truths, np.bool_)
    crowd[random.choice(size.truths, min(size.crowds, size.truths), replace=False)] = True
    return Objects(
        images=images,
        categories=themes[images, _theme(random, size, size.truths)],
        boxes=boxes,
        shapes=random.uniform(-1, 1, (size.truths, SHAPE_WAVES)),
        scores=np.ones(size.truths),
        sources=np.arange(size.truths),
        crowd=crowd,
    )


def _detections(
    random: np.random.Generator,
    size: SceneSize,
    themes: Ints,
    heights: Ints,
    widths: Ints,
    truths: Objects,
) -> Objects:
    wanted = _detections_per_image(random, size)
    hits = np.repeat(np.arange(size.truths), random.poisson(1.9, size.truths))
    near = truths.take(hits)
    # How far off: 0 is perfect, 1 a miss.
    off = random.beta(1.1, 3.0, len(near))
    scale = np.concatenate([near.boxes[:, 2:], near.boxes[:, 2:]], axis=1)
    moved = near.boxes + random.normal(0, 0.25, (len(near), 4)) * off[:, None] * scale
    confused = random.random(len(near)) < 0.08
    near_categories = np.where(
        confused, random.integers(0, size.categories, len(near)), near.categories
    )
    certain = 1 / (1 + np.exp(-(2.2 - 6 * off + random.normal(0, 1.3, len(near)))))

    false_images = np.repeat(np.arange(size.images), wanted)
    stray = random.random(len(false_images)) < 0.35
    false_categories = np.where(
        stray,
        random.integers(0, size.categories, len(false_images)),
        themes[false_images, _theme(random, size, len(false_images))],
    )
    images = np.concatenate([near.images, false_images])
    boxes = np.concatenate([moved, _new_boxes(random, false_images, heights, widths)])
    doubt = random.beta(1.0, 9.0, len(false_images))
    every = Objects(
        images=images,
        categories=np.concatenate([near_categories, false_categories]),
        boxes=_inside(boxes, heights[images], widths[images]),
        shapes=np.concatenate(
            [
                near.shapes + random.normal(0, 0.5, near.shapes.shape) * off[:, None],
                random.uniform(-1, 1, (len(false_images), SHAPE_WAVES)),
            ]
        ),
        scores=np.concatenate([certain, doubt]).round(5),
        sources=np.concatenate([hits, np.full(len(false_images), -1)]),
        crowd=np.zeros(len(images), np.bool_),
    )
    # The likeliest of each image, in the order in which a detector reports them.
    order = np.lexsort((-every.scores, every.images))
    ranks = np.arange(len(order)) - np.searchsorted(every.images[order], every.images[order])
    return every.take(order[ranks < wanted[every.images[order]]])


def _detections_per_image(random: np.random.Generator, size: SceneSize) -> Ints:
    """(I,) that add up to ``size.detections``, none above ``size.per_image``."""
    mean = size.detections / size.images
    counts = np.clip(random.normal(mean, 0.35 * mean, size.images), 1, size.per_image).astype(int)
    while (missing := size.detections - counts.sum()) != 0:
        step = int(np.sign(missing))
        open_ = np.flatnonzero((counts + step >= 0) & (counts + step <= size.per_image))
        if not len(open_):
            raise ValueError(f"{size} asks for more than {size.per_image} detections an image")
        counts[random.permutation(open_)[: abs(missing)]] += step
    return counts


def _theme(random: np.random.Generator, size: SceneSize, count: int) -> Ints:
    shares = THEME_SHARES[: size.themes] / THEME_SHARES[: size.themes].sum()
    return random.choice(size.themes, count, p=shares)


def _new_boxes(random: np.random.Generator, images: Ints, heights: Ints, widths: Ints) -> Floats:
    side = np.exp(random.normal(np.log(SIDE_MEDIAN), SIDE_SPREAD, len(images)))
    aspect = np.exp(random.normal(0, 0.35, len(images)))
    boxes = np.stack(
        [
            random.uniform(0, widths[images]),
            random.uniform(0, heights[images]),
            side * aspect,
            side / aspect,
        ],
        axis=1,
    )
    boxes[:, :2] -= boxes[:, 2:] / 2
    return _inside(boxes, heights[images], widths[images])


def _inside(boxes: Floats, heights: Ints, widths: Ints) -> Floats:
    """Boxes cut at the image's edges, at least 2 pixels wide and high."""
    sides = np.stack([widths, heights], axis=1)
    low = np.clip(boxes[:, :2], 0, sides - 3)
    high = np.clip(boxes[:, :2] + np.maximum(boxes[:, 2:], 2), low + 2, sides)
    return np.concatenate([low, high - low], axis=1).round(2)

"""Images, objects and two models' detections, of which any number can be drawn.

Images differ in difficulty, which all their objects share; a category's objects
come in clumps; categories differ in how many and how hard they are. An object found badly is a
false positive, and there are others where there is no object. The two models see the same
difficulties, and the second is a little better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite_plugins.metrics.coco_ap import bbox
from benchsuite_plugins.metrics.coco_protocol import detection_protocol
from benchsuite_plugins.metrics.match_table import MatchHeader

VALUES = ("AP", "AP50", "AR100")
POPULATION_IMAGES, POPULATION_PARTS = 250_000, 4
BETTER = 0.1  # by how much the second model's detections are better

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One distribution, and how many images are drawn of it.

    Attributes:
        images: of a draw.
        categories: their number.
        most, least: objects an image of the most and the least frequent category.
    """

    name: str
    images: int
    categories: int
    most: float
    least: float


CASES = (
    Case("300_images_20_categories", 300, 20, 1.5, 0.1),
    Case("500_images_40_categories", 500, 40, 1.5, 0.05),
    Case("300_images_rare_categories", 300, 40, 1.5, 0.02),
)
"""The rarest category has 30, 25 and 6 objects in a draw."""


def header(case: Case) -> MatchHeader:
    """COCO's protocol for boxes, of all areas together."""
    protocol = detection_protocol("bbox")
    protocol = replace(
        protocol,
        areas=("all",),
        area_ranges=protocol.area_ranges[:1],
        max_detections=protocol.max_detections[-1:],
        values=tuple(value for value in protocol.values if value.name in VALUES),
    )
    return MatchHeader(protocol, tuple(range(case.categories)), "simulated")


def draw(case: Case, images: int, generator: np.random.Generator) -> list[pa.Table]:
    """Both models' match tables of so many images, numbered from 0."""
    frequency = np.geomspace(case.most, case.least, case.categories)
    difficulty = generator.normal(size=images)
    clumps = generator.gamma(1.0, 1.0, (images, case.categories))
    truths = _repeated(generator.poisson(frequency * clumps))
    ease = np.linspace(1.2, -0.6, case.categories)[truths[1]] - 0.6 * difficulty[truths[0]]
    ease += 0.9 * generator.normal(size=len(ease))
    nothing = np.clip(1.2 * frequency, 0.05, None) * np.exp(0.4 * difficulty)[:, None]
    tables = []
    for better in (0.0, BETTER):
        quality = ease + better + 0.6 * generator.normal(size=len(ease))
        matched = np.clip(np.ceil(4 + 2.5 * quality), 0, 10).astype(np.int64)
        seen = (matched > 0) | (generator.random(len(ease)) < 0.6)
        wrong = _repeated(generator.poisson(nothing))
        sure = [
            0.9 * quality[seen] + 0.8 * generator.normal(size=seen.sum()) + 0.3,
            generator.normal(size=len(wrong[0])) - 1 + 0.3 * difficulty[wrong[0]],
        ]
        detections = np.concatenate([truths[:, seen], wrong], axis=1)
        matched = np.concatenate([matched[seen], np.zeros(len(wrong[0]), np.int64)])
        scores = 1 / (1 + np.exp(-np.concatenate(sure)))
        tables.append(_table(case, truths, detections, matched, scores))
    return tables


def _repeated(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(2, N) image and category of each of the (images, categories) counted objects."""
    places = np.stack(np.nonzero(counts))
    return np.repeat(places, counts[tuple(places)], axis=1)


def _table(
    case: Case,
    truths: NDArray[np.int64],
    detections: NDArray[np.int64],
    matched: NDArray[np.int64],
    scores: Floats,
) -> pa.Table:
    """The match table of (2, G) truths and (2, N) detections that match at so many thresholds."""
    order = np.lexsort((-scores, *detections))
    detections, matched, scores = detections[:, order], matched[order], scores[order]
    groups = detections[1] * (detections[0].max(initial=0) + 1) + detections[0]
    ranks = np.arange(len(groups)) - np.searchsorted(groups, groups)
    rows = np.concatenate([detections, truths], axis=1)
    is_truth = np.arange(rows.shape[1]) >= len(scores)
    padding = (0, truths.shape[1])
    bits = np.pad((1 << matched) - 1, padding).astype(np.uint16)
    columns = [
        from_numpy(rows[0]),
        from_numpy(rows[1]),
        from_numpy(is_truth),
        from_numpy(np.arange(len(is_truth))),
        from_numpy(np.pad(ranks, padding).astype(np.int32), ~is_truth),
        from_numpy(np.pad(scores, padding), ~is_truth),
        from_numpy(bits),
        from_numpy(np.zeros_like(bits)),
    ]
    return pa.Table.from_arrays(columns, schema=header(case).schema())


def population(case: Case, images: int = POPULATION_IMAGES, seed: int = 0) -> Floats:
    """(3, V) the values of both models and of their difference."""
    parts = []
    for part in range(POPULATION_PARTS):
        tables = draw(case, images, np.random.default_rng([seed, part]))
        parts.append([[bbox().accumulate(table).metrics[v] for v in VALUES] for table in tables])
    a, b = np.mean(parts, axis=0)
    return np.stack([a, b, b - a])

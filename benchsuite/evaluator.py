"""Evaluation from Python: three lines in a notebook, a few in a training loop.

::

    evaluation = benchsuite.evaluate("instances_val2017.json", "bbox.json", task="bbox")
    print(evaluation)
    evaluation.per_class.to_pandas()

In a training loop, matching goes on batch by batch::

    evaluator = benchsuite.Evaluator("instances_val2017.json", task="segm")
    for images, ids in loader:
        evaluator.update(results_of(images), image_ids=ids)
    evaluator.compute().metrics["segm/AP"]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchsuite.columns.arrow_arrays import from_numpy, to_numpy
from benchsuite.columns.ids import among, distinct
from benchsuite.columns.image_columns import ImageColumns
from benchsuite.columns.sources import begin_predictions, read_predictions, read_truth
from benchsuite.errors import InputError
from benchsuite.metric_selection import make_metric, metrics_with_prefix
from benchsuite.plugins import registry
from benchsuite.protocols import Predictions, Truth
from benchsuite.scoring import TRUTH_OF

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchsuite.columns.coco_results import RestOfReading
    from benchsuite.intervals import Interval
    from benchsuite.specs import MetricSpec


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What an evaluation comes back with.

    Attributes:
        task: the prefix of the values.
        evaluator: what made them, with its version.
        metrics: ``"<prefix>/<value>"`` to number, unscaled; -1 where there is nothing to measure.
        per_class: ``schemas.PER_CLASS``, or ``None`` where the metric has no such values.
        curves: ``schemas.PR_CURVES``, or ``None``.
        matches: the match table, from which all else was made.
        image_ids: (I,) int64, the images that were scored.
        intervals: the names of ``metrics`` to confidence intervals, where they were asked for.
    """

    task: str
    evaluator: str
    metrics: Mapping[str, float]
    per_class: pa.Table | None
    curves: pa.Table | None
    matches: pa.Table
    image_ids: NDArray[np.int64]
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def __str__(self) -> str:
        """The values, in points, a line each."""
        lines = [f"{self.task} · {len(self.image_ids)} images · {self.evaluator}"]
        for name, value in self.metrics.items():
            points = "–" if value == -1 or value != value else f"{100 * value:.2f}"
            interval = self.intervals.get(name)
            ends = "" if interval is None else f"  [{100 * interval.low:.2f}, "
            ends += "" if interval is None else f"{100 * interval.high:.2f}]"
            lines.append(f"  {name.partition('/')[2]:8} {points:>7}{ends}")
        return "\n".join(lines)


class Evaluator:
    """Matches predictions as they come and scores them when asked.

    Every image is updated once. Match tables of several processes can be merged: each process
    updates images of its own, and one of them merges and computes. The numbers are to the bit those
    of an evaluation of everything at once.

    Args:
        truth: path of an annotation file, COCO's dictionary, or a ``Truth``.
        task: the prefix of the values that are wanted (``"bbox"``, ``"lvis-segm"``, ``"voc"``).
        metric: a metric's name, where several give values of that prefix.
        lenient: score what cannot be scored as the official scorer does.
        options: of the metric (``iou_thresholds=(0.5,)``).

    Raises:
        UsageError: no such task, metric or option.
        DataMissingError: there is no such file.
        InputError: the truth cannot be used; names file and record.
    """

    def __init__(
        self,
        truth: Any,
        task: str = "bbox",
        *,
        metric: str | None = None,
        lenient: bool = False,
        **options: Any,
    ) -> None:
        spec = _metric_spec(task, metric)
        self._spec, self._lenient = spec, lenient
        self._metric = make_metric(spec, options).metric
        self._truth = read_truth(truth, TRUTH_OF.get(spec.task, spec.task))
        self._tables: list[pa.Table] = []
        self._seen: set[int] = set()

    @property
    def truth(self) -> Truth:
        return self._truth

    @property
    def matches(self) -> pa.Table:
        """The match table of the images updated so far."""
        return pa.concat_tables(self._tables) if self._tables else self._match_nothing(())

    def update(self, predictions: Any, image_ids: Iterable[int] | None = None) -> None:
        """Match some images.

        Args:
            predictions: path of a results file, list of COCO results, (N, 7) array (image id, x, y,
                width, height, score, category id), Arrow table, DataFrame or ``Predictions``.
            image_ids: the images that these are all predictions of; ``None``: those that have one.

        Raises:
            InputError: a record cannot be scored, an image is unknown or was updated before; the
                evaluator is then as it was.
        """
        begun = begin_predictions(predictions, self._spec.task, lenient=self._lenient)
        self._match(begun, image_ids)

    def _match(self, predictions: RestOfReading, image_ids: Iterable[int] | None) -> None:
        """As ``update``, of predictions that were begun to be read."""
        images = ImageColumns.of(self._truth.images)
        given = predictions(images, self._truth.categories).predictions
        having = to_numpy(given.instances["image_id"])
        ids = distinct(having if image_ids is None else np.fromiter(image_ids, np.int64))
        strange = having[~among(having, ids)]
        if len(strange):
            raise InputError(
                f"image {strange.min()} has predictions, but is not among image_ids",
                file=given.source or None,
            )
        if again := self._seen.intersection(ids.tolist()):
            raise InputError(f"image {min(again)} was updated before", file=given.source or None)
        known = to_numpy(given.images["image_id"])
        unknown = ids[~among(ids, known)]
        if len(unknown):
            raise InputError(f"image {unknown[0]} is not among the truth's images")
        batch = Predictions(_rows_of(given.images, ids), given.instances, given.source)
        self._tables.append(self._metric.match(self._truth, batch))
        self._seen.update(ids.tolist())

    def merge(self, matches: pa.Table, image_ids: Iterable[int]) -> None:
        """Take over what another process has matched.

        Args:
            matches: its ``matches``.
            image_ids: the images that it has updated.

        Raises:
            InputError: an image was updated here too.
        """
        ids = set(image_ids)
        if again := self._seen & ids:
            raise InputError(f"image {min(again)} was updated in two processes")
        self._tables.append(matches)
        self._seen |= ids

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """(I,) the images updated so far, ascending."""
        return np.array(sorted(self._seen), np.int64)

    def compute(
        self,
        *,
        only_updated: bool = False,
        ci: bool = False,
        replicates: int = 1000,
        seed: int = 0,
    ) -> Evaluation:
        """The values of what was updated so far; updating may go on afterwards.

        Args:
            only_updated: leave out images that were not updated. Otherwise nothing was found in
                them, as in a results file that says nothing of an image.
            ci: with confidence intervals, of ``replicates`` drawn with ``seed``.
        """
        every = to_numpy(self._truth.images["image_id"])
        scored = self.image_ids
        missing = every[~among(every, scored)]
        tables = list(self._tables)
        if len(missing) and not only_updated:
            tables.append(self._match_nothing(missing))
            scored = every
        matches = pa.concat_tables(tables) if tables else self._match_nothing(())
        scores = self._metric.accumulate(matches)
        prefix = self._spec.value_prefix
        found = {}
        if ci:
            from benchsuite.intervals import intervals

            found = intervals(self._metric, matches, scored, replicates=replicates, seed=seed)
        return Evaluation(
            task=prefix,
            evaluator=self._metric.evaluator,
            metrics={f"{prefix}/{name}": float(v) for name, v in scores.metrics.items()},
            per_class=scores.per_class,
            curves=scores.curves,
            matches=matches,
            image_ids=scored,
            intervals={f"{prefix}/{name}": each for name, each in found.items()},
        )

    def reset(self) -> None:
        """Forget every update."""
        self._tables, self._seen = [], set()

    def _match_nothing(self, image_ids: Any) -> pa.Table:
        """The match table of images in which nothing was found."""
        nothing = read_predictions([], self._truth.images, self._truth.categories, self._spec.task)
        images = _rows_of(nothing.images, np.array(image_ids, np.int64))
        return self._metric.match(self._truth, Predictions(images, nothing.instances))


def _metric_spec(task: str, metric: str | None) -> MetricSpec:
    """The spec of the metric that is named, else of the first whose values have the prefix."""
    if metric is None:
        return metrics_with_prefix(task)[0]
    spec: MetricSpec = registry().find("metrics", metric)
    return spec


def _rows_of(images: pa.Table, ids: NDArray[np.int64]) -> pa.Table:
    """The rows of some images."""
    wanted = among(to_numpy(images["image_id"]), ids)
    return images if wanted.all() else images.filter(from_numpy(wanted))


def evaluate(
    truth: Any,
    predictions: Any,
    task: str = "bbox",
    *,
    metric: str | None = None,
    lenient: bool = False,
    ci: bool = False,
    replicates: int = 1000,
    seed: int = 0,
    **options: Any,
) -> Evaluation:
    """Score predictions against truth, as ``benchsuite eval`` does.

    Args: see ``Evaluator``, its ``update`` and its ``compute``.

    Returns:
        The numbers and the match table they were made of.

    Raises:
        UsageError: no such task, metric or option.
        DataMissingError: a file is not there.
        InputError: a record cannot be scored; names file and record.
    """
    scored = _metric_spec(task, metric).task
    with ThreadPoolExecutor(max_workers=1) as background:
        begun = background.submit(begin_predictions, predictions, scored, lenient=lenient)
        evaluator = Evaluator(truth, task, metric=metric, lenient=lenient, **options)
        evaluator._match(begun.result(), to_numpy(evaluator.truth.images["image_id"]))
    return evaluator.compute(ci=ci, replicates=replicates, seed=seed)

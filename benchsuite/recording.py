"""Writing one run into the store: the tables, the page, and the outcome that is shown.

``run`` and ``eval`` both end here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from benchsuite import schemas
from benchsuite.columns.arrow_arrays import from_rows
from benchsuite.results import Outcome
from benchsuite.scoring import ResultKeys, Scored, result_tables
from benchsuite.throughput import summarise

if TYPE_CHECKING:
    from benchsuite.records import ImageRecord
    from benchsuite.specs import Category
    from benchsuite.store.results_store import Staging


@dataclass(frozen=True, slots=True)
class Recording:
    """What is told and kept of a run, beside its numbers.

    Attributes:
        run: the row of ``schemas.RUNS``.
        published: ``"<prefix>/<value>"`` to the published number.
        weights: as in ``Outcome``.
        kernels: operator to the implementation that served it.
        environment: facts, name to JSON-able value.
        page: whether a page is drawn; it takes about as long as scoring COCO's boxes.
    """

    run: Mapping[str, Any]
    published: Mapping[str, float]
    weights: Mapping[str, str | None] | str | None
    kernels: Mapping[str, str]
    environment: Mapping[str, Any]
    page: bool = True


def record(
    staging: Staging,
    recording: Recording,
    scored: Sequence[Scored],
    categories: Sequence[Category],
    samples: pa.Table,
) -> Outcome:
    """Write everything but the predictions, which were streamed.

    The outcome's ``paths`` are filled by the staging once it is committed.
    """
    run = recording.run
    keys = ResultKeys(
        run_id=run["run_id"],
        result_id=run["result_id"],
        model=run["model"],
        recipe=run["recipe"],
        dataset=run["dataset"],
        split=run["split"],
        partial=run["partial"],
        published=recording.published,
    )
    with ThreadPoolExecutor(max_workers=1) as background:
        # Matches take longer to write than all the rest.
        written = [
            background.submit(staging.write, matches_table(each.spec.name), each.matches)
            for each in scored
            if each.matches is not None
        ]
        tables = result_tables(scored, keys, categories)
        facts = [
            {"run_id": run["run_id"], "name": name, "value": json.dumps(value)}
            for name, value in recording.environment.items()
        ]
        environment = from_rows(facts, schemas.ENVIRONMENT)
        runs = from_rows([run], schemas.RUNS)
        staging.write("runs", runs)
        staging.write("metrics", tables.metrics)
        staging.write("per_class", tables.per_class)
        staging.write("pr_curves", tables.pr_curves)
        if tables.slices.num_rows:
            staging.write("slices", tables.slices)
        staging.write("environment", environment)
        for each in written:
            each.result()

    if recording.page:
        from benchsuite.report.run_page import render_run

        page = render_run(
            runs.to_pylist()[0],
            tables.metrics,
            tables.per_class,
            tables.pr_curves,
            samples,
            environment,
        )
        staging.write_text("reports", "report.html", page)
    return Outcome(
        run=run,
        metrics={name: value for each in scored for name, value in each.named().items()},
        published=recording.published,
        stages=summarise(samples),
        weights=recording.weights,
        kernels=recording.kernels,
        paths=staging.paths,
        per_class=tables.per_class,
        slices=tables.slices,
        intervals={n: i for each in scored for n, i in each.named_intervals().items()},
    )


def matches_table(metric: str) -> str:
    """The store's table of a metric's matches."""
    return f"matches_{re.sub('[^0-9A-Za-z_]', '_', metric)}"


def image_list_sha256(records: Sequence[ImageRecord]) -> str:
    """SHA-256 over ids, names and sizes of the images, in evaluation order."""
    digest = sha256()
    for each in records:
        digest.update(f"{each.id}\t{each.file_name}\t{each.width}\t{each.height}\n".encode())
    return digest.hexdigest()


def as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)

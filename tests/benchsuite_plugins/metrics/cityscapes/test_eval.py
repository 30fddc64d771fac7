"""``benchsuite eval`` on Cityscapes, with the official scripts beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchsuite.cli.main import main
from benchsuite.protocols import WriteRequest
from benchsuite_plugins.datasets.cityscapes.labels import CATEGORIES
from benchsuite_plugins.formats.cityscapes import write_predictions

NAMES = tuple(f"frankfurt_000000_{number:06}" for number in range(1, 6))


@pytest.mark.parametrize("task", ["cityscapes-instances", "cityscapes"])
def test_both_scorers_agree(
    task: str,
    tables: Any,
    draw_scene: Any,
    draw_instances: Any,
    write_cityscapes: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    random = np.random.default_rng(8)
    maps = [draw_scene(random) for _ in NAMES]
    root = write_cityscapes(dict(zip(NAMES, maps)), images=False)
    monkeypatch.setenv("BENCHSUITE_DATASETS", str(root))
    truth = tables.truth(maps)
    if task == "cityscapes":
        labels = [np.where(each < 1000, each, each // 1000) for each in maps]
        predictions = tables.maps(truth, [np.roll(each, 2, axis=0) for each in labels])
    else:
        predictions = tables.instances(truth, draw_instances(random, maps))
    written = tmp_path / "predictions"
    write_predictions(predictions, WriteRequest(written, categories=CATEGORIES))
    arguments = ["--predictions", str(written), "--task", task, "--out", str(tmp_path / "results")]
    assert main(["eval", "--dataset", "cityscapes", "--scorer", "both", *arguments]) == 0
    told = capsys.readouterr()
    assert f"{task}: all {4 if task == 'cityscapes' else 2} values equal cityscapesscripts" in (
        told.out + told.err
    )


def test_it_scores_what_models_predict(tables: Any, draw_scene: Any) -> None:
    """A model's boxes beside its masks change nothing."""
    from benchsuite_plugins.metrics.cityscapes.instances import CityscapesInstances

    metric = CityscapesInstances()
    numbers = draw_scene(np.random.default_rng(9))
    truth = tables.truth([numbers])
    rows = [(1, int(n) // 1000, 0.5, numbers == n) for n in np.unique(numbers[numbers > 1000])]
    predictions = tables.instances(truth, rows)
    boxed = predictions.instances.to_pylist()
    for row in boxed:
        row["bbox"] = [0.0, 0.0, 1.0, 1.0]
    instances = pa.Table.from_pylist(boxed, predictions.instances.schema)
    found = metric.match(truth, replace(predictions, instances=instances))
    assert found.equals(metric.match(truth, predictions))

"""Every dataset is scored on every task that it serves."""

from __future__ import annotations

import pytest

from benchsuite.specs import DatasetSpec
from benchsuite_plugins import benchsuite_datasets, benchsuite_metrics

METRICS = {spec.name: spec for spec in benchsuite_metrics()}


@pytest.mark.parametrize("spec", benchsuite_datasets(), ids=lambda spec: spec.name)
def test_each_task_has_a_metric(spec: DatasetSpec) -> None:
    assert set(spec.metrics) <= METRICS.keys()
    assert {METRICS[name].task for name in spec.metrics} >= set(spec.tasks)

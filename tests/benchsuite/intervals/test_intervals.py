"""Intervals and comparisons of metrics whose exact answers are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from benchsuite.errors import ContractError, InputError, UsageError
from benchsuite.intervals import Difference, Interval, compare, intervals
from benchsuite.protocols import Predictions, Scores, Truth


class Mean:
    """The mean of the images' numbers, and of those that are positive; one row an image."""

    evaluator = "mean 1"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        raise NotImplementedError

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        images, numbers = (matches[name].to_numpy() for name in ("image_id", "number"))
        weights = np.ones(len(images))
        if image_weights is not None:
            weights = np.array([image_weights.get(image, 0) for image in images.tolist()])
        order = np.argsort(images)
        numbers, weights = numbers[order], weights[order]
        found = {}
        for name, chosen in (("mean", weights), ("positive", weights * (numbers > 0))):
            found[name] = chosen @ numbers / chosen.sum() if chosen.sum() else -1.0
        return Scores(found)


class ResampledMean(Mean):
    """The same, all weightings at once."""

    def resample(
        self, matches: pa.Table, image_ids: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        rows = [self.accumulate(matches, dict(zip(image_ids.tolist(), row))) for row in weights]
        return {name: np.array([row.metrics[name] for row in rows]) for name in rows[0].metrics}


def table(numbers: np.ndarray, images: np.ndarray | None = None) -> pa.Table:
    images = np.arange(len(numbers)) if images is None else images
    return pa.table({"image_id": images, "number": numbers})


NUMBERS = np.random.default_rng(0).normal(0.5, 0.1, 101)
IMAGES = np.arange(101)


def test_interval_of_a_mean() -> None:
    found = intervals(Mean(), table(NUMBERS), IMAGES, replicates=4000)["mean"]
    error = NUMBERS.std(ddof=1) / np.sqrt(len(NUMBERS))
    assert found.value == pytest.approx(NUMBERS.mean())
    assert (found.low + found.high) / 2 == pytest.approx(NUMBERS.mean(), abs=0.1 * error)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert (found.level, found.replicates, found.seed) == (0.95, 4000, 0)
    assert "bias-corrected" in found.method


def test_level() -> None:
    wide = intervals(Mean(), table(NUMBERS), IMAGES, level=0.99)["mean"]
    narrow = intervals(Mean(), table(NUMBERS), IMAGES, level=0.5)["mean"]
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(
        2.5758 / 0.6745, 1e-3
    )


@pytest.mark.parametrize("metric", [Mean(), ResampledMean()])
def test_depends_on_neither_order_nor_implementation(metric: Mean) -> None:
    shuffled = np.random.default_rng(1).permutation(101)
    other = intervals(metric, table(NUMBERS[shuffled], IMAGES[shuffled]), IMAGES[::-1])
    assert other == intervals(Mean(), table(NUMBERS), IMAGES)


def test_depends_on_the_seed() -> None:
    first, second = (intervals(Mean(), table(NUMBERS), IMAGES, seed=seed) for seed in (1, 2))
    assert first["mean"].low != second["mean"].low
    assert first["mean"].seed == 1


def test_images_without_rows_count() -> None:
    class Count(Mean):
        def accumulate(self, matches: pa.Table, image_weights: object = None) -> Scores:
            weights = (
                image_weights if isinstance(image_weights, dict) else dict.fromkeys(range(101), 1)
            )
            rows = matches["image_id"].to_pylist()
            return Scores({"share": sum(weights.get(i, 0) for i in rows) / max(1, len(weights))})

    some = table(NUMBERS[:50], IMAGES[:50])
    share = intervals(Count(), some, IMAGES)["share"]
    assert share.low < 50 / 101 < share.high
    assert share.high - share.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 101), rel=0.1)


def test_shares_stay_shares() -> None:
    numbers = np.zeros(20)
    numbers[3] = 1
    assert intervals(Mean(), table(numbers), np.arange(20))["mean"].low == 0
    assert intervals(Mean(), table(1 - numbers), np.arange(20))["mean"].high == 1
    assert intervals(Mean(), table(numbers * 30), np.arange(20))["mean"].low < 0


def test_what_cannot_be_measured_is_left_out() -> None:
    none = table(-np.abs(NUMBERS))
    assert list(intervals(Mean(), none, IMAGES)) == ["mean"]
    # In one image only: one half of each pair has nothing.
    numbers = -np.abs(NUMBERS)
    numbers[0] = 1
    assert list(intervals(Mean(), table(numbers), IMAGES)) == ["mean"]
    # In five images: a few halves have nothing.
    numbers[1:5] = [1, 1.5, 1.5, 2]
    found = intervals(Mean(), table(numbers), IMAGES)["positive"]
    assert found.low < 1.4 < found.high < 2


def test_json() -> None:
    found = intervals(Mean(), table(NUMBERS), IMAGES, replicates=10)["mean"].to_json()
    assert Interval(**found) == intervals(Mean(), table(NUMBERS), IMAGES, replicates=10)["mean"]


# --- comparison -----------------------------------------------------------------------------------


def test_a_paired_difference() -> None:
    better = NUMBERS + np.random.default_rng(2).normal(0.02, 0.01, 101)
    found = compare(Mean(), table(NUMBERS), table(better), IMAGES, replicates=4000)["mean"]
    difference = better - NUMBERS
    error = difference.std(ddof=1) / np.sqrt(101)
    assert found.value == pytest.approx(difference.mean())
    assert found.second - found.first == pytest.approx(found.value)
    assert (found.low + found.high) / 2 == pytest.approx(found.value)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert found.p_value < 1e-6
    back = compare(Mean(), table(better), table(NUMBERS), IMAGES, replicates=4000)["mean"]
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
    assert back.p_value == pytest.approx(found.p_value)


def test_p_value_agrees_with_the_interval() -> None:
    other = NUMBERS + np.random.default_rng(3).normal(0.001, 0.01, 101)
    for level in (0.5, 0.9, 0.99):
        found = compare(Mean(), table(NUMBERS), table(other), IMAGES, level=level)["mean"]
        assert (found.low > 0 or found.high < 0) == (found.p_value < 1 - level)


def test_no_difference() -> None:
    found = compare(Mean(), table(NUMBERS), table(NUMBERS), IMAGES[::-1])["mean"]
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)
    assert Difference(**found.to_json()) == found


def test_rows_of_images_that_were_not_evaluated() -> None:
    with pytest.raises(ContractError, match="has rows of image 0, which is not among those"):
        compare(Mean(), table(NUMBERS[1:], IMAGES[1:]), table(NUMBERS), IMAGES[1:])


def test_tables_of_different_protocols() -> None:
    class Named(Mean):
        def accumulate(self, matches: pa.Table, image_weights: object = None) -> Scores:
            return Scores({matches.column_names[1]: 0.0})

    other = table(NUMBERS).rename_columns(["image_id", "other"])
    with pytest.raises(ContractError, match="different protocols"):
        compare(Named(), table(NUMBERS), other, IMAGES)


# --- what is asked wrongly ------------------------------------------------------------------------


def test_images_named_twice() -> None:
    with pytest.raises(ContractError, match="image 3 is named twice"):
        intervals(Mean(), table(NUMBERS[:4]), np.array([0, 1, 2, 3, 3]))


def test_rows_of_other_images() -> None:
    with pytest.raises(ContractError, match="has rows of image 100, which is not among those"):
        intervals(Mean(), table(NUMBERS), IMAGES[:100])


def test_too_few_images() -> None:
    with pytest.raises(InputError, match="at least 2 images, not 1"):
        intervals(Mean(), table(NUMBERS[:1]), IMAGES[:1])


@pytest.mark.parametrize("settings", [{"level": 0}, {"level": 95}, {"replicates": 3}])
def test_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        intervals(Mean(), table(NUMBERS), IMAGES, **settings)  # type: ignore[arg-type]

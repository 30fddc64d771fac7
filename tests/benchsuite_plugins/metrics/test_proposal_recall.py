"""Recall of proposals, against the protocol written out pair by pair."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Metric, Predictions, ResampledMetric, Truth
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_plugins.formats.label_tables import predictions_of, truth_of
from benchsuite_plugins.metrics import proposal_match
from benchsuite_plugins.metrics.proposal_recall import create

RECORDS = tuple(ImageRecord(number, f"{number}.png", 400, 400) for number in (2, 5, 9))
CATEGORIES = (Category(3, "plane"), Category(8, "ship"))
LETTERS = {"all": "", "small": "s", "medium": "m", "large": "l"}


def truth_sides(rows, crowd=None) -> Truth:
    """Truth of rows (image, x, y, width, height)."""
    table = np.array(rows, np.float64).reshape(-1, 5)
    images = [int(image) for image in table[:, 0]]
    labels = [place % 2 for place in range(len(images))]
    truth = truth_of(RECORDS, CATEGORIES, images, labels, table[:, 1:], source="truth")
    if crowd is None:
        return truth
    place = truth.instances.schema.get_field_index("iscrowd")
    field = truth.instances.schema.field(place)
    instances = truth.instances.set_column(place, field, pa.array(crowd, pa.bool_()))
    return Truth(truth.images, instances, truth.categories, None, truth.source)


def proposal_sides(rows, scores) -> Predictions:
    """Proposals of rows as above; all are of the first category."""
    table = np.array(rows, np.float64).reshape(-1, 5)
    images = [int(image) for image in table[:, 0]]
    labels = [0] * len(images)
    return predictions_of(RECORDS, CATEGORIES, images, labels, table[:, 1:], scores, source="found")


def iou(one, other) -> float:
    """Of two boxes x, y, width, height."""
    sides = [
        max(min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i]), 0.0)
        for i in (0, 1)
    ]
    both = sides[0] * sides[1]
    union = one[2] * one[3] + other[2] * other[3] - both
    return both / union if both else 0.0


def written_out(truths, crowd, proposals, scores) -> dict[str, float]:
    """The protocol, one pair after the other."""
    values = {}
    for limit in proposal_match.LIMITS:
        for area, (low, high) in proposal_match.AREAS.items():
            overlaps: list[float] = []
            for image in range(len(RECORDS)):
                found = [place for place, row in enumerate(proposals) if row[0] == image]
                found = sorted(found, key=lambda place: -scores[place])[:limit]
                wanted = [
                    row[1:]
                    for row, passed in zip(truths, crowd)
                    if row[0] == image and not passed and low <= row[3] * row[4] <= high
                ]
                if not found or not wanted:
                    continue
                matrix = np.array([[iou(proposals[p][1:], w) for p in found] for w in wanted])
                for _ in range(min(matrix.shape)):
                    w, p = np.unravel_index(matrix.argmax(), matrix.shape)
                    overlaps.append(matrix[w, p])
                    matrix[w, :] = matrix[:, p] = -1.0
                overlaps += [0.0] * (len(wanted) - min(matrix.shape))
            shares = [np.mean(np.array(overlaps) >= k / 20) for k in range(10, 20) if overlaps]
            values[f"AR{LETTERS[area]}@{limit}"] = float(np.mean(shares)) if overlaps else -1.0
    return values


def score(truth: Truth, predictions: Predictions) -> dict[str, float]:
    metric = create()
    return dict(metric.accumulate(metric.match(truth, predictions)).metrics)


@st.composite
def cases(draw):
    """Truths on a coarse grid, so that overlaps tie, and proposals near them."""
    image = st.integers(0, len(RECORDS) - 1)
    side = st.sampled_from([16.0, 32.0, 60.0, 96.0, 140.0])
    place = st.integers(0, 20).map(lambda step: 8.0 * step)
    box = st.tuples(image, place, place, side, side)
    truths = draw(st.lists(box, max_size=12))
    crowd = [draw(st.integers(0, 5)) == 0 for _ in truths]
    shift = st.sampled_from([-8.0, 0.0, 0.0, 4.0, 8.0])
    near = [
        (row[0], row[1] + draw(shift), row[2] + draw(shift), *row[3:])
        for row in truths
        for _ in range(draw(st.integers(0, 3)))
    ]
    proposals = near + draw(st.lists(box, max_size=8))
    scores = [draw(st.integers(-3, 3)) / 2 for _ in proposals]
    return truths, crowd, proposals, scores


@settings(max_examples=120, deadline=None)
@given(case=cases(), limits=st.sampled_from([(1, 3), (2, 100)]))
def test_equals_the_protocol_written_out(case, limits):
    truths, crowd, proposals, scores = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proposal_match, "LIMITS", limits)
        table = proposal_match.match(truth_sides(truths, crowd), proposal_sides(proposals, scores))
        expected = written_out(truths, crowd, proposals, scores)
    # The columns are called after the protocol's own limits: the smaller first.
    found = dict(create().accumulate(table).metrics)
    assert list(found) == [
        f"AR{letter}@{limit}" for limit in (100, 1000) for letter in LETTERS.values()
    ]
    assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-12)


def test_a_proposal_covers_one_truth_and_the_best_pair_is_taken_first():
    truths = [(0, 0, 0, 40, 40), (0, 8, 0, 40, 40)]
    # The first lies nearer the second truth; the other proposal reaches 0.5 with neither.
    proposals = [(0, 6, 0, 40, 40), (0, 60, 60, 40, 40)]
    found = score(truth_sides(truths), proposal_sides(proposals, [0.0, 1.0]))
    overlap = 38 / 42
    assert found["AR@100"] == pytest.approx(sum(overlap >= k / 20 for k in range(10, 20)) / 20)


def test_only_the_best_hundred_count_for_the_smaller_limit():
    truths = [(0, 0, 0, 40, 40)]
    others = [(0, 200, 200, 30, 30)] * 100
    proposals = [(0, 0, 0, 40, 40), *others]
    found = score(truth_sides(truths), proposal_sides(proposals, [0.5] + [1.0] * 100))
    assert (found["AR@100"], found["AR@1000"]) == (0.0, 1.0)
    among_equals = score(truth_sides(truths), proposal_sides(proposals, [1.0] * 101))
    assert among_equals["AR@100"] == 1.0


def test_truths_of_an_image_without_proposals_do_not_count():
    truths = [(0, 0, 0, 40, 40), (1, 0, 0, 40, 40)]
    found = score(truth_sides(truths), proposal_sides([(0, 0, 0, 40, 40)], [0.0]))
    assert (found["AR@1000"], found["ARm@1000"], found["ARs@1000"]) == (1.0, 1.0, -1.0)


def test_nothing_to_measure_is_minus_one():
    found = score(truth_sides([]), proposal_sides([], []))
    assert set(found.values()) == {-1.0}


@pytest.fixture(scope="module")
def matches() -> pa.Table:
    """Of three images, with truths and proposals in all of them."""
    draw = np.random.default_rng(5)
    truths = np.column_stack(
        [draw.integers(0, 3, 60), draw.uniform(0, 300, (60, 2)), draw.uniform(10, 90, (60, 2))]
    )
    proposals = np.concatenate([truths, truths, truths])
    proposals[:, 1:] += draw.normal(0, 6, (180, 4))
    scores = draw.normal(size=180)
    return create().match(truth_sides(truths), proposal_sides(proposals, scores))


def test_parts_in_any_order_give_the_same_bits(matches):
    metric = create()
    assert isinstance(metric, Metric)
    images = matches["image_id"].to_numpy()
    parts = [matches.filter(pa.array(images == image)) for image in (9, 2, 5)]
    whole = dict(metric.accumulate(matches).metrics)
    assert dict(metric.accumulate(pa.concat_tables(parts)).metrics) == whole
    weights = {2: 0.3, 5: 1.7, 9: 0.1}
    assert dict(metric.accumulate(pa.concat_tables(parts), weights).metrics) == dict(
        metric.accumulate(matches, weights).metrics
    )


def test_a_weight_of_two_is_an_image_that_stands_twice(matches):
    metric = create()
    images = matches["image_id"].to_numpy()
    twice = pa.concat_tables([matches, matches.filter(pa.array(images == 5))])
    weighted = metric.accumulate(matches, {2: 1, 5: 2, 9: 1}).metrics
    assert dict(metric.accumulate(twice).metrics) == dict(weighted)
    assert dict(weighted) != dict(metric.accumulate(matches).metrics)


def test_resampling_is_accumulating_to_the_bit(matches):
    metric = create()
    assert isinstance(metric, ResampledMetric)
    image_ids = np.array([9, 77, 2])
    weights = np.random.default_rng(2).uniform(0, 3, (20, 3))
    weights[3] = 0
    found = metric.resample(matches, image_ids, weights)
    for row, of_images in enumerate(weights):
        expected = metric.accumulate(matches, dict(zip(image_ids.tolist(), of_images))).metrics
        assert {name: values[row] for name, values in found.items()} == dict(expected)
    assert found["AR@100"][3] == -1.0


def test_errors_name_the_record():
    predictions = proposal_sides([(0, 0, 0, 40, 40)], [0.0])
    place = predictions.instances.schema.get_field_index("bbox")
    field = predictions.instances.schema.field(place)
    without = predictions.instances.set_column(place, field, pa.nulls(1, field.type))
    with pytest.raises(InputError, match=r"found.*detections\[0\].*bbox is missing"):
        create().match(truth_sides([]), Predictions(predictions.images, without, "found"))
    with pytest.raises(ContractError, match="no match table of proposals"):
        create().accumulate(pa.table({"image_id": [1]}))

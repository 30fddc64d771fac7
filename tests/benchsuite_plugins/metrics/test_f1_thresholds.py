"""Best F1 against trying every threshold, and by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.errors import ContractError
from benchsuite_plugins.metrics.coco_protocol import detection_protocol
from benchsuite_plugins.metrics.f1_thresholds import F1_THRESHOLDS, f1_thresholds
from benchsuite_plugins.metrics.match_table import MatchHeader

Row = tuple[int, int, bool, float, int, int]
"""image, category, is_truth, score, matched, ignored"""

CATEGORIES = (2, 5, 9)


def table(rows: list[Row]) -> pa.Table:
    protocol = detection_protocol("bbox")
    protocol = replace(
        protocol, iou_thresholds=(0.5, 0.75), areas=("all",), area_ranges=((0.0, 1e10),), values=()
    )
    header = MatchHeader(protocol, CATEGORIES, "test")
    columns = [
        {
            "image_id": image,
            "category_id": category,
            "is_truth": is_truth,
            "source_id": place,
            "rank": None if is_truth else place,
            "score": None if is_truth else score,
            "matched_all": 0 if is_truth else matched,
            "ignored_all": ignored,
        }
        for place, (image, category, is_truth, score, matched, ignored) in enumerate(rows)
    ]
    return pa.Table.from_pylist(columns, schema=header.schema())


def by_trying(rows: list[Row], bit: int, weights: dict[int, float]) -> list[dict[str, Any]]:
    """Every score of every category as its threshold."""
    found = []
    for of in (*((c,) for c in CATEGORIES), CATEGORIES):
        mine = [row for row in rows if row[1] in of and weights[row[0]] > 0]
        truths = sum(weights[row[0]] for row in mine if row[2] and not row[5])
        best = (0.0, -np.inf, 0.0, 0.0)
        for threshold in {row[3] for row in mine if not row[2]}:
            counted = [row for row in mine if not row[2] and row[3] >= threshold]
            states = [(row[4] >> bit & 1, row[5] >> bit & 1, weights[row[0]]) for row in counted]
            true = sum(weight for matched, ignored, weight in states if matched and not ignored)
            false = sum(weight for matched, ignored, weight in states if not (matched or ignored))
            if true and truths:
                f1 = 2 * true / (true + false + truths)
                best = max(best, (f1, threshold, true, false))
        f1, threshold, true, false = best
        found.append(
            {
                "category_id": of[0] if len(of) == 1 else None,
                "iou": (0.5, 0.75)[bit],
                "score": threshold if true else None,
                "f1": f1 if truths else None,
                "precision": true / (true + false) if true else None,
                "recall": true / truths if truths else None,
                "true_positives": true,
                "false_positives": false,
                "false_negatives": truths - true,
            }
        )
    return found


ROWS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from(CATEGORIES[:2]),
        st.sampled_from([False, False, True]),
        st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.75]),
        st.integers(0, 3),
        st.sampled_from([0, 0, 0, 3]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(ROWS, st.integers(0, 1), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_equals_trying_every_threshold(rows: list[Row], bit: int, counts: list[int]) -> None:
    weights = dict(zip((1, 2, 3), map(float, counts)))
    found = f1_thresholds(table(rows), iou=(0.5, 0.75)[bit], image_weights=weights)
    assert found.schema == F1_THRESHOLDS
    assert found.to_pylist() == by_trying(rows, bit, weights)
    ones = dict.fromkeys((1, 2, 3), 1.0)
    assert f1_thresholds(table(rows)).to_pylist() == by_trying(rows, 0, ones)


def test_by_hand() -> None:
    """Three truths; hits at 0.9 and 0.4, misses at 0.5 and 0.1."""
    rows = [(1, 5, True, 0.0, 0, 0)] * 3
    rows += [(1, 5, False, s, m, 0) for s, m in ((0.9, 3), (0.5, 0), (0.4, 1), (0.1, 0))]
    category, together = f1_thresholds(table(rows)).to_pylist()[1::2]
    assert category["score"] == 0.4
    assert category["f1"] == pytest.approx(2 / 3)
    assert category["precision"] == category["recall"] == pytest.approx(2 / 3)
    assert {**category, "category_id": None} == together
    # At IoU 0.75 only the first is a hit.
    assert f1_thresholds(table(rows), iou=0.75)["score"].to_pylist() == [None, 0.9, None, 0.9]


def test_a_score_that_is_not_a_number_is_above_no_threshold() -> None:
    rows = [(1, 5, True, 0.0, 0, 0), (1, 5, False, float("nan"), 3, 0)]
    assert f1_thresholds(table(rows))["f1"].to_pylist() == [None, 0, None, 0]


@pytest.mark.parametrize("chosen", [{"iou": 0.6}, {"area": "small"}])
def test_what_the_table_has_not(chosen: Any) -> None:
    with pytest.raises(ContractError, match=r"no IoU threshold .* or no area range"):
        f1_thresholds(table([]), **chosen)

"""Rows of different lengths, against plain lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.training.data.ragged import Ragged

rows = st.lists(st.lists(st.integers(-9, 9), max_size=4), max_size=8)


def of(lists):
    flat = np.array([item for each in lists for item in each], np.int64)
    return Ragged.of_lengths(flat, np.array([len(each) for each in lists], np.int64))


@given(rows, st.data())
def test_rows_are_taken_in_any_order(lists, data):
    found = of(lists)
    assert [found[row].tolist() for row in range(len(found))] == lists
    assert found.lengths.tolist() == [len(each) for each in lists]
    places = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=9)) if lists else []
    taken = found.take(np.array(places, np.int64))
    assert [taken[row].tolist() for row in range(len(taken))] == [lists[row] for row in places]


@given(st.lists(st.text(max_size=5), max_size=5))
def test_texts(texts):
    encoded = [text.encode() for text in texts]
    letters = np.frombuffer(b"".join(encoded), np.uint8)
    found = Ragged.of_lengths(letters, np.array([len(each) for each in encoded], np.int64))
    assert [found.text(row) for row in range(len(found))] == texts

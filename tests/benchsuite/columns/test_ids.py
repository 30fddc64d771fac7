from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.columns.ids import among, distinct, places

near = st.integers(-20, 20)
ids = near | st.integers(-(2**63), 2**63 - 1)


@given(
    given_ids=st.lists(ids, max_size=20),
    known=st.lists(near, unique=True, max_size=9) | st.lists(ids, unique=True, max_size=9),
)
def test_places_of_ids(given_ids: list[int], known: list[int]) -> None:
    at, found = places(np.array(given_ids, np.int64), known)
    assert found.tolist() == [identity in known for identity in given_ids]
    for identity, place, there in zip(given_ids, at.tolist(), found.tolist()):
        assert not there or known[place] == identity


@settings(deadline=None)  # NumPy imports more when it is first asked
@given(given_ids=st.lists(ids, max_size=20), known=st.lists(ids, max_size=9))
def test_sets_of_ids_as_numpy_has_them(given_ids: list[int], known: list[int]) -> None:
    array, other = np.array(given_ids, np.int64), np.array(known, np.int64)
    assert distinct(array).tolist() == np.unique(array).tolist()
    assert among(array, other).tolist() == np.isin(array, other).tolist()

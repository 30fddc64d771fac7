"""How ranks share work; what they tell each other is tested where they do (test_validation)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.training.processes import ranks
from benchsuite.training.processes.ranks import broadcast_json, gather_bytes, own_turns


@given(st.integers(0, 40), st.integers(1, 9))
def test_all_work_is_done_once_in_equal_turns(count: int, world_size: int) -> None:
    shares = []
    for rank in range(world_size):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ranks, "rank", lambda rank=rank: rank)
            patch.setattr(ranks, "world_size", lambda: world_size)
            shares.append(list(own_turns(count)))
    assert sorted(place for share in shares for place, counts in share if counts) == [*range(count)]
    assert {len(share) for share in shares} == {-(-count // world_size)}
    assert all(place < count for share in shares for place, _ in share)


def test_one_process_is_rank_0_of_1() -> None:
    assert (ranks.rank(), ranks.world_size()) == (0, 1)
    assert gather_bytes(b"abc") == [b"abc"]
    assert broadcast_json({"AP": 0.1}) == {"AP": 0.1}

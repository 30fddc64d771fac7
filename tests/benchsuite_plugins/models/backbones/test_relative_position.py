from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite_plugins.models.backbones.relative_position import attend


def distance(query: int, key: int, queries: int, keys: int) -> int:
    """In rows of the table: 0 where the key is farthest behind the query."""
    longer = max(queries, keys)
    return query * (longer // queries) - key * (longer // keys) + (keys - 1) * (longer // keys)


def by_hand(query: Tensor, key: Tensor, value: Tensor, table_h: Tensor, table_w: Tensor) -> Tensor:
    """One map in float64, a query and key at a time; tables of the right length."""
    height, width, channels = query.shape
    key_height, key_width, _ = key.shape
    out = torch.zeros_like(query)
    for y in range(height):
        for x in range(width):
            logits = torch.zeros(key_height, key_width, dtype=torch.float64)
            for v in range(key_height):
                for u in range(key_width):
                    logits[v, u] = (
                        query[y, x] @ key[v, u] / channels**0.5
                        + query[y, x] @ table_h[distance(y, v, height, key_height)]
                        + query[y, x] @ table_w[distance(x, u, width, key_width)]
                    )
            weights = logits.flatten().softmax(0)
            out[y, x] = weights @ value.flatten(0, 1)
    return out


@pytest.mark.parametrize(
    ("queries", "keys"), [((3, 4), (3, 4)), ((4, 6), (2, 3)), ((4, 4), (1, 2)), ((2, 2), (4, 2))]
)
def test_attention_and_positions_by_hand(queries: tuple[int, int], keys: tuple[int, int]) -> None:
    torch.manual_seed(0)
    query = torch.randn(2, *queries, 5)
    key, value = torch.randn(2, *keys, 5), torch.randn(2, *keys, 5)
    tables = [torch.randn(2 * max(q, k) - 1, 5) for q, k in zip(queries, keys)]
    attended = attend(query, key, value, *tables)
    for index in range(2):
        maps = (part[index].double() for part in (query, key, value))
        expected = by_hand(*maps, *(table.double() for table in tables))
        torch.testing.assert_close(attended[index], expected.float(), atol=1e-5, rtol=1e-5)


def test_tables_of_another_length_are_interpolated() -> None:
    torch.manual_seed(1)
    query, key, value = torch.randn(3, 1, 4, 4, 6).unbind(0)
    # Twice as many distances, less one, on a straight line: what lies between stays on it.
    line = torch.linspace(-1, 1, 21)[:, None] * torch.randn(6)
    at_centres = (torch.arange(7) + 0.5) * 21 / 7 - 0.5
    direction = line[-1]
    short = ((at_centres / 10) - 1)[:, None] * direction
    torch.testing.assert_close(
        attend(query, key, value, line, line), attend(query, key, value, short, short)
    )


def test_a_table_of_the_right_length_is_taken_as_it_is() -> None:
    """To the last bit: interpolation must not move it."""
    table = torch.randn(127, 3)
    resized = torch.nn.functional.interpolate(table.T[None], size=127, mode="linear")[0].T
    assert torch.equal(resized, table)


def test_sides_that_do_not_divide_each_other() -> None:
    """Of 5 queries and 2 keys keys stand at 0 and 2.5; distances are truncated."""
    channels = 9
    query = torch.eye(channels)[None, None, :1].expand(1, 1, 5, channels)
    key, value = torch.zeros(1, 1, 2, channels), torch.tensor([[0.0], [1.0]])
    value = value.expand(2, channels)[None, None]
    table_w = torch.zeros(9, channels)
    table_w[:, 0] = torch.arange(9.0)
    attended = attend(query, key, value, torch.zeros(1, channels), table_w)[0, 0, :, 0]
    first, second = torch.tensor([2.0, 3, 4, 5, 6]), torch.tensor([0.0, 1, 2, 3, 4])
    torch.testing.assert_close(attended, torch.sigmoid(second - first))

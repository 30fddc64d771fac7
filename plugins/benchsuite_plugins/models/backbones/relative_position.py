"""Attention with relative positions decomposed into rows and columns (Li et al., "MViTv2", 2022,
section 4.1): a logit gains ``q . R_h[row distance] + q . R_w[column distance]``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(query: Tensor, key: Tensor, value: Tensor, table_h: Tensor, table_w: Tensor) -> Tensor:
    """Softmax attention of every query to every key of the same map.

    Args:
        query: (M, Hq, Wq, C), M maps (images, heads, windows).
        key, value: (M, Hk, Wk, C), over the same extent.
        table_h, table_w: (L, C), an embedding a distance along rows and columns; interpolated
            where L is not the number of distances there are, twice the longer side less one.

    Returns:
        (M, Hq, Wq, C).
    """
    maps, height, width, channels = query.shape
    rows = _embeddings(table_h, height, key.shape[1])
    columns = _embeddings(table_w, width, key.shape[2])
    # The positions meet the query as it is, not divided by sqrt(C) as for the keys.
    row_bias = query @ rows.transpose(1, 2)
    column_bias = (query.transpose(1, 2) @ columns.transpose(1, 2)).transpose(1, 2)
    bias = row_bias[..., :, None] + column_bias[..., None, :]
    attended = F.scaled_dot_product_attention(
        query.flatten(1, 2)[:, None],
        key.flatten(1, 2)[:, None],
        value.flatten(1, 2)[:, None],
        attn_mask=bias.flatten(3, 4).flatten(1, 2)[:, None].to(query.dtype),
    )
    return attended.reshape(maps, height, width, channels)


def _embeddings(table: Tensor, queries: int, keys: int) -> Tensor:
    """The embedding of each query and key along one axis: (L, C) to (queries, keys, C).

    The shorter side's positions are spread over the longer one's. Distances are made in float32 and
    truncated, in the order of operations that the published weights were trained with: where
    sides do not divide each other, another order gives other neighbours.
    """
    distances = 2 * max(queries, keys) - 1
    # Interpolated even where nothing changes by it, as a condition on the size would hold an
    # exported program to one size.
    table = F.interpolate(table.T[None], size=distances, mode="linear")[0].T
    query_step = max(keys / queries, 1.0)
    key_step = max(queries / keys, 1.0)
    query_positions = torch.arange(queries, device=table.device)[:, None] * query_step
    key_positions = torch.arange(keys, device=table.device)[None, :] * key_step
    distance = (query_positions - key_positions) + (keys - 1) * key_step
    return table[distance.long()]

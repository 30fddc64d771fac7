"""Learning rates that fall towards a transformer's input (Clark et al., "ELECTRA", 2020)."""

from __future__ import annotations


def layer_decay(parameter: str, rate: float, depth: int) -> float:
    """The factor of a parameter's learning rate.

    Args:
        parameter: its name in the detector, as in ``backbone.net.blocks.3.attn.qkv.weight``.
        rate: factor from a block to the one before.
        depth: number of blocks.

    Returns:
        1 for what follows the blocks, ``rate`` for the last block, and so on to
        ``rate ** (depth + 1)`` for patches and positions.
    """
    parts = parameter.split(".")
    if parts[0] != "backbone":
        layer = depth + 1
    elif "pos_embed" in parts or "patch_embed" in parts:
        layer = 0
    elif "blocks" in parts:
        layer = 1 + int(parts[parts.index("blocks") + 1])
    else:
        layer = depth + 1
    return float(rate ** (depth + 1 - layer))

"""Tensors as the C++ kernels take them."""

from __future__ import annotations

from torch import Tensor


def stored(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of it, as C++ reads it: its last axis densest, no gap."""
    return tensor if tensor.is_contiguous() else tensor.contiguous()

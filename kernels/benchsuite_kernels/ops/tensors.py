"""Tensors as the C++ kernels take them."""

from __future__ import annotations

import torch
from torch import Tensor


def stored(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of it, as C++ reads it: its last axis densest, no gap."""
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def on_host(tensor: Tensor) -> Tensor:
    """The tensor in the host's memory, by one copy that is waited for.

    From a GPU it goes to page-locked memory, which the device writes without a detour.
    """
    if not tensor.is_cuda:
        return tensor.cpu()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return host

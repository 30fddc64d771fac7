"""Tensors as the C++ kernels take them."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def kernel_takes(*tensors: Tensor, differentiable: bool = False) -> bool:
    """Whether the C++ kernels can serve: float32 on the CPU, no gradient wanted, not traced.

    Args:
        differentiable: whether the caller has kernels for the gradients too.
    """
    if torch.compiler.is_compiling():
        return False
    gradients = torch.is_grad_enabled() and not differentiable
    return all(
        tensor.device.type == "cpu"
        and tensor.dtype == torch.float32
        and not (gradients and tensor.requires_grad)
        for tensor in tensors
    )


def stored(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of it, as C++ reads it: its last axis densest, no gap."""
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def as_array(tensor: Tensor, dtype: torch.dtype) -> NDArray[Any]:
    """The CPU tensor as a C-contiguous array, sharing memory where it already is one."""
    if tensor.dtype != dtype:
        tensor = tensor.to(dtype)
    array: NDArray[Any] = tensor.detach().contiguous().numpy()
    return array

"""What a case is, and how results are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

Inputs = tuple[Any, ...]
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 1e-2}
"""Relative errors that pass, by the dtype of what an operator reads."""


class MismatchError(AssertionError):
    """A result that is not what it should be."""


@dataclass(frozen=True)
class Size:
    """How large inputs are.

    Attributes:
        full: as detectors have them on an 800 x 1344 image; else as small as still tells.
    """

    full: bool

    def of(self, full: int, small: int) -> int:
        return full if self.full else small


def close(actual: Any, expected: Any, inputs: Inputs, tolerance: float) -> float:
    """The largest error over the largest magnitude, of all tensors in any nesting.

    Raises:
        MismatchError: shapes differ, values that are not finite lie elsewhere, or the error is
            larger than the tolerance.
    """
    worst = 0.0
    pairs = zip(pytree.tree_leaves(actual), pytree.tree_leaves(expected), strict=True)
    for mine, other in pairs:
        if not isinstance(mine, Tensor):
            if mine != other:
                raise MismatchError(f"{mine} in place of {other}")
            continue
        if mine.shape != other.shape:
            raise MismatchError(f"shape {tuple(mine.shape)} in place of {tuple(other.shape)}")
        mine, other = mine.double().cpu(), other.double().cpu()
        finite = other.isfinite()
        if not torch.equal(mine.isfinite(), finite):
            raise MismatchError("values that are not finite lie elsewhere")
        scale = max(float(other[finite].abs().max()) if finite.any() else 0.0, 1e-30)
        away = float((mine - other)[finite].abs().max()) / scale if finite.any() else 0.0
        worst = max(worst, away)
    if worst > tolerance:
        raise MismatchError(f"relative error {worst:.2g}, above {tolerance:g}")
    return worst


def same(actual: Any, expected: Any, inputs: Inputs, tolerance: float) -> float:
    """0 where everything is equal.

    Raises:
        MismatchError: something differs.
    """
    return close(actual, expected, inputs, 0.0)


def all_bytes(inputs: Inputs, output: Any) -> int:
    """What lies in all tensors, read or written once."""
    tensors = [each for each in pytree.tree_leaves((inputs, output)) if isinstance(each, Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@dataclass(frozen=True)
class Case:
    """An operator on inputs of one size.

    Attributes:
        name: operator/size.
        draw: from a seed, the features' dtype and the size to arguments on the CPU.
        ours: the operator, on these arguments. On the CPU in float64 its reference serves, which is
            what results are held against.
        peers: others by name, which take the same arguments.
        for_peers: changes the peers' arguments beforehand, untimed (their faster layout).
        plain: the same in plain torch, for ``torch.compile`` to make what it can of it.
        compare: raises ``MismatchError`` or returns the error; arguments as of ``close``.
        traffic: bytes that have to be moved, from arguments and output: what the floor is.
        dtypes: that are measured.
        expected: the dtype that the reference computes in.
    """

    name: str
    draw: Callable[[int, torch.dtype, Size], Inputs]
    ours: Callable[..., Any]
    peers: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    for_peers: Callable[[Inputs], Inputs] = lambda inputs: inputs
    plain: Callable[..., Any] | None = None
    compare: Callable[[Any, Any, Inputs, float], float] = close
    traffic: Callable[[Inputs, Any], int] = all_bytes
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.bfloat16)
    expected: torch.dtype = torch.float64


def on_device(inputs: Inputs, device: torch.device) -> Inputs:
    """Copies of all tensors on a device; layouts stay."""
    return pytree.tree_map_only(Tensor, lambda tensor: tensor.to(device, copy=True), inputs)


def on_cpu(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """Copies on the CPU, what is floating in ``dtype``."""

    def converted(tensor: Tensor) -> Tensor:
        tensor = tensor.cpu()
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return pytree.tree_map_only(Tensor, converted, inputs)

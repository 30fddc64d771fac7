"""A model in parts on several processes, and its state as if it were whole.

What is kept of a training is the same whether a model was in parts or not: a training can go on
either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from benchsuite.errors import ContractError

_LEAST_PARAMETERS = 1_000_000
"""Of a part that is gathered by itself; smaller ones travel with what they lie in."""


def shard_model(learner: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Share the parameters of a learner's model among the processes (FSDP, Zhao et al. 2023).

    Modules of a list, the blocks of a transformer for one, are gathered one after the other when
    they are computed; what is left is gathered at once.
    """
    data, model = mesh["data_parallel"], learner.model
    if not isinstance(model, nn.Module):
        raise ContractError(f"a {type(learner).__name__} has no model to share")
    for module in list(model.modules()):
        if isinstance(module, nn.ModuleList | nn.Sequential):
            for block in module:
                if _unshared(block) >= _LEAST_PARAMETERS:
                    fully_shard(block, mesh=data)
    fully_shard(model, mesh=data)
    for method in ("losses", "predict", "forward"):
        register_fsdp_forward_method(model, method)
    return learner


def _unshared(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters() if not isinstance(each, DTensor))


def whole(value: Any) -> Any:
    """A tensor in parts, put together; every process must ask. Anything else as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def own_part(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor; it shares its memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole_state(model: nn.Module) -> dict[str, Tensor]:
    """The state dict with whole tensors; those that were whole share the model's memory."""
    return {name: whole(value) for name, value in model.state_dict().items()}


def load_whole_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put whole tensors into a model, in place."""
    model.load_state_dict(parted_state(state, model.state_dict()))


def parted_state(state: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors, cut as those of the same names are."""
    return {name: _parted(value, like[name]) for name, value in state.items()}


def whole_optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimiser's state dict with whole tensors."""
    state = optimizer.state_dict()
    return {**state, "state": _each(state["state"], lambda _, value: whole(value))}


def load_whole_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Put what ``whole_optimizer_state`` returned into an optimiser of the same parameters."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    parts = _each(state["state"], lambda index, value: _parted(value, parameters[index]))
    optimizer.load_state_dict({**state, "state": parts})


def _each(state: Mapping[int, Mapping[str, Any]], change: Callable[[int, Any], Any]) -> Any:
    return {
        index: {name: change(index, value) for name, value in values.items()}
        for index, values in state.items()
    }


def _parted(value: Any, like: Tensor) -> Any:
    """A whole tensor cut as another one of its shape is."""
    if isinstance(like, DTensor) and isinstance(value, Tensor) and value.shape == like.shape:
        return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
    return value

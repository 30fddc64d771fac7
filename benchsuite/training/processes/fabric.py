"""Where a training computes: devices, processes and precision, through Lightning Fabric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.plugins.precision.amp import MixedPrecision
from lightning_fabric.plugins.precision.precision import Precision
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
from lightning_fabric.strategies.strategy import Strategy

from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from benchsuite.training.processes.processes import Processes

PRECISIONS = ("fp32", "fp16", "bf16")

STRATEGIES = ("ddp", "fsdp")


def open_fabric(
    device: str, processes: Processes, *, precision: str = "fp32", strategy: str = "ddp"
) -> Fabric:
    """Bring the processes together.

    Args:
        device: this process's, ``"cpu"`` or ``"cuda:1"``.
        precision: ``"fp32"``; ``"fp16"``, with a loss scaler; ``"bf16"``. Both are mixed: weights
            stay in float32.
        strategy: how several processes share the work. ``"ddp"``: each has the whole model.
            ``"fsdp"``: each has a part of the weights, of their gradients and of the optimiser's
            state, for models that are large.

    Raises:
        UsageError: an unknown precision or strategy.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}")
    if strategy not in STRATEGIES:
        raise UsageError(f"strategy {strategy!r} is none of {', '.join(STRATEGIES)}")
    kind, _, index = device.partition(":")
    alone = processes.world_size == 1
    if kind == "cuda" and alone:
        devices: Any = [int(index or 0)]
    else:
        devices = processes.local_world_size
    fabric = Fabric(
        accelerator=kind,
        strategy="auto" if alone else _together(strategy, processes.world_size),
        devices=devices,
        num_nodes=processes.nodes,
        # Said here, lest a batch system that is found in the environment be asked instead.
        plugins=[
            LightningEnvironment() if alone else TorchElasticEnvironment(),
            _precision(precision, kind),
        ],
    )
    fabric.launch()
    return fabric


def _precision(name: str, kind: str) -> Precision:
    """Fabric takes bf16 for fp16 on a CPU; here it is what was asked for."""
    if name == "fp16":
        return MixedPrecision("16-mixed", kind)
    return MixedPrecision("bf16-mixed", kind) if name == "bf16" else Precision()


def _together(strategy: str, world_size: int) -> Strategy:
    if strategy == "fsdp":
        from benchsuite.training.processes.sharding import shard_model

        return ModelParallelStrategy(
            parallelize_fn=shard_model, data_parallel_size=world_size, tensor_parallel_size=1
        )
    return DDPStrategy()

"""How a model is executed: what makes it faster and may move its numbers.

It is part of a result's identity, and recorded beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from benchsuite.specs import ModelSpec

PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True, slots=True)
class Execution:
    """What is asked of a model that only predicts.

    Attributes:
        precision: of the weights and activations of the network's layers, one of ``PRECISIONS``;
            boxes and scores are float32 in any case.
        compile: whether the network goes through ``torch.compile``.
        channels_last: whether activations lie channels-last; ``None``: as the model is fastest.
        cuda_graph: whether the network is replayed as CUDA graphs, one for each input shape.

    Raises:
        UsageError: there is no such precision.
    """

    precision: str = "fp32"
    compile: bool = False
    channels_last: bool | None = None
    cuda_graph: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(f"--precision {self.precision}: there are {', '.join(PRECISIONS)}")

    def asked(self) -> dict[str, Any]:
        """The options that are not at their default, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


OPTIONS = tuple(field.name for field in fields(Execution))
"""What ``ModelSpec.execution`` may name."""


def check_model(execution: Execution, spec: ModelSpec) -> None:
    """Let no option be passed over in silence.

    Raises:
        UsageError: the model does not take an option that was asked for.
    """
    refused = [name for name in execution.asked() if name not in spec.execution]
    if refused:
        taken = ", ".join(map(_flag, spec.execution)) or "none"
        raise UsageError(
            f"model {spec.name!r} does not take {', '.join(map(_flag, refused))} "
            f"(of these options it takes: {taken})"
        )


def check_device(execution: Execution, device: str) -> None:
    """Whether a device can do it.

    Args:
        device: ``"cpu"``, ``"cuda:0"``, ...

    Raises:
        UsageError: it cannot.
    """
    if not device.startswith("cpu"):
        return
    if execution.cuda_graph:
        raise UsageError(f"--cuda-graph needs a CUDA device, and this run is on {device}")
    if execution.precision == "fp16":
        raise UsageError("--precision fp16 needs a CUDA device; CPUs compute in bf16")
    if execution.compile and not any(map(shutil.which, ("g++", "clang++", "c++"))):
        raise UsageError("--compile needs a C++ compiler on the CPU, and none was found (g++)")


def execution_title(run: Mapping[str, Any]) -> str:
    """A run's execution in a few words, from its row: ``bf16, compiled``.

    Runs that were recorded before there was a choice have no more than a precision.
    """
    parts = [str(run["precision"] or "")]
    if run.get("compile"):
        parts.append("compiled")
    if run.get("channels_last") is not None:
        parts.append("channels last" if run["channels_last"] else "channels first")
    if run.get("cuda_graph"):
        parts.append("CUDA graph")
    return ", ".join(part for part in parts if part)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"

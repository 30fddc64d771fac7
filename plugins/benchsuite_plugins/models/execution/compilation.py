"""The networks of a model through ``torch.compile``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchsuite_plugins.models.execution.parts import dense_parts, region_parts


def compile_parts(model: nn.Module) -> None:
    """Compile each part when it is first called; selection in between stays as it is.

    A dense part is compiled for the first size it sees and, at the second, once more for any size.
    What sees regions is compiled for any number of them, and anew for none and for one; but not on
    CPUs, where it is faster packed. There weights are taken for constants, so that they are laid
    out for the processor.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    for part in dense_parts(model):
        compiled = torch.compile(part.forward)
        part.forward = _OfConstants(compiled) if on_cpu else compiled
    if not on_cpu:
        for part in region_parts(model):
            part.forward = torch.compile(part.forward, dynamic=True)


class _OfConstants:
    """A compiled function that takes parameters for constants.

    As an option of ``torch.compile`` that would reach what generates code, and not what traces.
    """

    def __init__(self, compiled: Callable[..., Any]) -> None:
        self.compiled = compiled

    def __call__(self, *arguments: Any) -> Any:
        from torch._inductor import config  # takes a second to import

        with config.patch(freezing=True):
            return self.compiled(*arguments)

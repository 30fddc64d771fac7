"""The networks of a model through ``torch.compile``."""

from __future__ import annotations

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
        part.compile(options={"freezing": True} if on_cpu else {})
    if not on_cpu:
        for part in region_parts(model):
            part.compile(dynamic=True)

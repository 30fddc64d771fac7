"""A model made ready to predict as an ``Execution`` asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchsuite.execution import Execution
from benchsuite_plugins.models.execution.compilation import compile_parts
from benchsuite_plugins.models.execution.cuda_graphs import capture_parts
from benchsuite_plugins.models.execution.exact_group_norm import make_group_norms_exact
from benchsuite_plugins.models.execution.folding import fold_batch_norms
from benchsuite_plugins.models.execution.packed_layers import available
from benchsuite_plugins.models.execution.packing import pack
from benchsuite_plugins.models.execution.parts import dense_parts, region_parts
from benchsuite_plugins.models.image_input import ImageInput

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@torch.inference_mode()
def prepare(model: nn.Module, execution: Execution) -> None:
    """Change a model in place, for good: it predicts, and does not train.

    Batch normalisations are folded into convolutions. On CPUs layers that are not compiled are
    packed for the processor. In half precision convolutions and fully connected layers are cast and
    the rest of the network runs under autocast; anchors, boxes, scores and peaks are float32.

    Args:
        model: on its device, in evaluation mode, with its weights.
    """
    device = next(model.parameters()).device
    dtype = DTYPES[execution.precision]
    channels_last = execution.channels_last is not False
    image_input = getattr(model, "image_input", None)
    if isinstance(image_input, ImageInput):  # a batch is made as the network reads it
        image_input.channels_last = channels_last
    fold_batch_norms(model)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    on_cpu = device.type == "cpu"
    if on_cpu and channels_last:
        make_group_norms_exact(model)
    packed = on_cpu and channels_last and available()
    if not packed or execution.compile:
        lay_out(model, dtype, channels_last=channels_last)
    if packed:
        for part in region_parts(model) if execution.compile else [model]:
            pack(part, dtype)
    if dtype != torch.float32:
        model.forward = _Autocast(model.forward, device.type, dtype)
    if execution.compile:
        compile_parts(model)
    if execution.cuda_graph:
        capture_parts(model)


def lay_out(model: nn.Module, dtype: torch.dtype, *, channels_last: bool) -> None:
    """Cast the weights of layers that multiply, and have the network's input and output lie as
    asked."""
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            for name, parameter in layer.named_parameters(recurse=False):
                image = parameter.ndim == 4
                layout = memory_format if image else torch.preserve_format
                cast = parameter.to(dtype, memory_format=layout)
                setattr(layer, name, nn.Parameter(cast, requires_grad=False))
    for part in dense_parts(model):
        part.register_forward_pre_hook(_Laid(dtype, memory_format))


class _Laid:
    """Has maps lie as they shall before a part sees them."""

    def __init__(self, dtype: torch.dtype, memory_format: torch.memory_format) -> None:
        self.dtype = dtype
        self.memory_format = memory_format

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            each.to(self.dtype, memory_format=self.memory_format)
            if isinstance(each, Tensor)
            else each
            for each in arguments
        )


class _Autocast:
    """A model's ``forward`` under autocast."""

    def __init__(self, forward: Callable[[Any], Any], device_type: str, dtype: torch.dtype) -> None:
        self.forward = forward
        self.device_type = device_type
        self.dtype = dtype

    def __call__(self, batch: Any) -> Any:
        with torch.autocast(self.device_type, dtype=self.dtype):
            return self.forward(batch)

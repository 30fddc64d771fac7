"""The networks of a model as CUDA graphs: launched at once, whatever the number of kernels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from benchsuite_plugins.models.execution.parts import dense_parts

WARM_UP = 3
"""Calls before a capture: libraries choose their algorithms and compile in them."""

MOST_GRAPHS = 16
"""Input shapes that a part keeps a graph for; the one that was used longest ago goes first."""


def capture_parts(model: nn.Module) -> None:
    """Have each dense part, on a CUDA device, replay a graph of its own for each input shape.

    A shape is captured when it is first seen. Parts that see regions, whose number is another one
    in each image, are called as before. A part's outputs are written over by its next call.
    """
    for part in dense_parts(model):
        part.forward = Graphed(part.forward)


@dataclass(frozen=True)
class _Captured:
    """A graph with the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Any]
    outputs: Any


class Graphed:
    """A function of tensors (in any nesting) that runs on the device alone, as graphs.

    Args:
        function: waits for nothing, and needs the same memory at each call of the same shapes.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.captured: OrderedDict[Any, _Captured] = OrderedDict()

    def __call__(self, *arguments: Any) -> Any:
        leaves, structure = pytree.tree_flatten(arguments)
        key = (structure, tuple(map(_signature, leaves)))
        if key not in self.captured:
            self.captured[key] = self._capture(leaves, structure)
            if len(self.captured) > MOST_GRAPHS:
                self.captured.popitem(last=False)
        self.captured.move_to_end(key)
        captured = self.captured[key]
        for place, given in zip(captured.inputs, leaves, strict=True):
            if isinstance(place, Tensor) and place.data_ptr() != given.data_ptr():
                place.copy_(given)
        captured.graph.replay()
        return captured.outputs

    def _capture(self, leaves: list[Any], structure: pytree.TreeSpec) -> _Captured:
        inputs = [each.clone() if isinstance(each, Tensor) else each for each in leaves]
        arguments = pytree.tree_unflatten(inputs, structure)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.function(*arguments)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self.function(*arguments)
        return _Captured(graph, inputs, outputs)


def _signature(leaf: Any) -> Any:
    """What a graph hangs on."""
    if isinstance(leaf, Tensor):
        return leaf.shape, leaf.stride(), leaf.dtype, leaf.device
    return leaf

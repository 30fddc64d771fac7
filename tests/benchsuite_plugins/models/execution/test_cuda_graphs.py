"""Which graph is replayed and what it reads, with graphs that a CPU can replay."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchsuite_plugins.models.execution import cuda_graphs
from benchsuite_plugins.models.execution.cuda_graphs import Graphed


class Replayed:
    """Computes anew, into the same memory, what a graph would replay."""

    def __init__(self, function: Any, arguments: Any) -> None:
        self.function, self.arguments = function, arguments
        self.outputs = function(*arguments)

    def replay(self) -> None:
        for name, value in self.function(*self.arguments).items():
            self.outputs[name].copy_(value)


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []

    def capture(self: Graphed, leaves: list[Any], structure: Any) -> Any:
        inputs = [each.clone() for each in leaves]
        graph = Replayed(self.function, torch.utils._pytree.tree_unflatten(inputs, structure))
        seen.append([each.shape for each in leaves])
        return cuda_graphs._Captured(graph, inputs, graph.outputs)

    monkeypatch.setattr(Graphed, "_capture", capture)
    return seen


def doubled(maps: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: 2 * value for name, value in maps.items()}


def test_a_shape_is_captured_once_and_reads_what_it_is_given(captures: list[Any]) -> None:
    graphed = Graphed(doubled)
    for value in (1.0, 2.0, 3.0):
        given = {"p2": torch.full((1, 2), value), "p3": torch.full((3,), -value)}
        found = graphed(given)
        assert torch.equal(found["p2"], torch.full((1, 2), 2 * value))
        assert torch.equal(found["p3"], torch.full((3,), -2 * value))
    assert captures == [[(1, 2), (3,)]]


def test_shape_dtype_and_layout_have_graphs_of_their_own(captures: list[Any]) -> None:
    graphed = Graphed(doubled)
    x = torch.ones(1, 2, 3, 4)
    for given in (x, x.double(), x.to(memory_format=torch.channels_last), x[:, :1], x):
        assert torch.equal(graphed({"p2": given})["p2"], 2 * given)
    assert len(captures) == 4


def test_the_graph_that_was_used_longest_ago_goes(
    captures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graphs, "MOST_GRAPHS", 2)
    graphed = Graphed(doubled)
    for size in (1, 2, 1, 3, 1, 2):
        graphed({"p2": torch.ones(size)})
    assert [shapes[0][0] for shapes in captures] == [1, 2, 3, 2]

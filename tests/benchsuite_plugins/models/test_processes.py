"""What models form over several processes equals what one process forms of all their batches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn

from benchsuite_plugins.models.layers.sync_batch_norm import SyncBatchNorm2d
from benchsuite_plugins.models.loss_normalizer import LossNormalizer

SHAPES = ((2, 3, 4, 5), (1, 3, 7, 2), (0, 3, 4, 4))
"""Of each process's batch: different sizes, and nothing."""


def batch(rank: int) -> Tensor:
    generator = torch.Generator().manual_seed(rank)
    return 3 * torch.randn(SHAPES[rank], generator=generator) + rank


def norm(kind: type[nn.BatchNorm2d] | type[SyncBatchNorm2d]) -> Any:
    made = kind(3)
    with torch.no_grad():
        made.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        made.bias.copy_(torch.tensor([0.1, 0.0, -1.0]))
    return made


def in_a_process(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=len(SHAPES)
    )
    found: dict[str, Any] = {}
    synchronised, x = norm(SyncBatchNorm2d), batch(rank).requires_grad_()
    out = synchronised(x)
    out.sin().sum().backward()
    found["norm"] = {
        "out": out.detach(),
        "x": x.grad,
        "weight.grad": synchronised.weight.grad,
        "bias.grad": synchronised.bias.grad,
        **synchronised.state_dict(),
    }
    found["evaluated"] = synchronised.eval()(batch(0)).detach()
    normalizer = LossNormalizer(100.0)
    with normalizer.whole_step():
        for count in range(rank):  # 0, 1 and 2 batches
            normalizer(torch.tensor(10 * (rank + count)))
    found["average"] = normalizer.value.item()
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("processes")
    started = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(folder)])
        for rank in range(len(SHAPES))
    ]
    assert [each.wait(timeout=120) for each in started] == [0] * len(SHAPES)
    return [torch.load(folder / f"{rank}.pt") for rank in range(len(SHAPES))]


def test_batch_statistics_are_those_of_all_processes(found: list[dict[str, Any]]) -> None:
    # A channel's values of all batches in one row: what torch's own layer makes of them.
    plain = norm(nn.BatchNorm2d)
    batches = [batch(rank).requires_grad_() for rank in range(len(SHAPES))]
    joined = torch.cat([each.transpose(0, 1).flatten(1) for each in batches], dim=1)
    out = plain(joined[None, :, :, None])
    out.sin().sum().backward()
    parts = out[0, :, :, 0].split([each.numel() // 3 for each in batches], dim=1)
    norms = [each["norm"] for each in found]
    for each, part, own in zip(norms, parts, batches, strict=True):
        torch.testing.assert_close(each["out"].transpose(0, 1).flatten(1), part)
        torch.testing.assert_close(each["x"], own.grad)
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            torch.testing.assert_close(each[name], plain.get_buffer(name))
    for name in ("weight", "bias"):
        total = sum(each[f"{name}.grad"] for each in norms)
        torch.testing.assert_close(total, plain.get_parameter(name).grad)
    torch.testing.assert_close(found[1]["evaluated"], plain.eval()(batch(0)))


def test_one_process_has_the_statistics_of_its_batch() -> None:
    torch.testing.assert_close(norm(SyncBatchNorm2d)(batch(0)), norm(nn.BatchNorm2d)(batch(0)))


def test_the_normalizer_moves_by_the_mean_over_all_processes(found: list[dict[str, Any]]) -> None:
    # 10 of the second process, 20 and 30 of the third.
    assert [each["average"] for each in found] == pytest.approx([92, 92, 92])


if __name__ == "__main__":
    in_a_process(int(sys.argv[1]), Path(sys.argv[2]))

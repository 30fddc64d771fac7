"""Every CUDA source compiles for every architecture, without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchsuite_kernels.cuda.nvrtc import CompileError, nvrtc, nvrtc_problem
from benchsuite_kernels.cuda.offline import ARCHITECTURES, costs, scalars
from benchsuite_kernels.cuda.signature import signatures
from benchsuite_kernels.cuda.source import source_text, sources

pytestmark = pytest.mark.skipif(nvrtc_problem() is not None, reason=str(nvrtc_problem()))

HALF_PRECISION = ("sm_75", "sm_90")
"""Here; ``python -m benchsuite_kernels.cuda`` compiles half precision for every architecture."""

SPILLS: dict[str, str] = {}
"""Kernels that may keep registers in memory, and why."""


@pytest.mark.parametrize("source", sources())
def test_compiles_for_every_architecture_without_spills(source: str) -> None:
    found = costs(source, dtypes=[torch.float32])
    found += costs(source, HALF_PRECISION, [each for each in scalars(source) if each.itemsize == 2])
    kernels = set(signatures(source_text(source)))
    assert kernels, "a source without kernels"
    compiled = len(ARCHITECTURES) + len(HALF_PRECISION) * (len(scalars(source)) - 1)
    assert sorted(cost.kernel for cost in found) == sorted([*kernels] * compiled)
    assert [cost for cost in found if cost.spilled and cost.kernel not in SPILLS] == []
    assert all(0 < cost.registers <= 255 and cost.shared <= 48 << 10 for cost in found)


def test_spilled_registers_and_shared_memory_are_read_from_the_log(tmp_path: Path) -> None:
    path = tmp_path / "greedy.cu"
    path.write_text(
        """
        extern "C" __global__ void __launch_bounds__(1024) greedy(float* out) {
          __shared__ float tile[100];
          float values[128];
          for (int i = 0; i < 128; ++i) values[i] = out[i * threadIdx.x];
          tile[threadIdx.x % 100] = values[3];
          __syncthreads();
          for (int i = 0; i < 128; ++i) out[i * threadIdx.x + 5] = values[i] * values[127 - i];
          out[0] = tile[7];
        }
        """.replace("\n        ", "\n")
    )
    (cost,) = costs(str(path), ["sm_90"])
    assert cost.kernel == "greedy"
    assert cost.spilled > 0
    assert cost.registers <= 64  # of 65536, for 1024 threads
    assert cost.shared == 400


def test_an_error_tells_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.cu"
    path.write_text('#include "scalar.cuh"\n\nint wrong = ;\n')
    with pytest.raises(CompileError, match=r"wrong\.cu\(3\): error"):
        costs(str(path), ["sm_90"])


def test_both_bindings_of_the_compiler_give_the_same_code() -> None:
    pytest.importorskip("cupy")
    from benchsuite_kernels.cuda.nvrtc import _OfCuPy

    text = 'extern "C" __global__ void f(float* x) { x[threadIdx.x] *= 2; }'
    other = _OfCuPy()
    if other.version() != nvrtc().version():
        pytest.skip("two versions of NVRTC are installed")
    options = ("-arch=compute_80",)
    both = [each.compile(text, "f.cu", options)[0] for each in (other, nvrtc())]
    assert both[0].rstrip(b"\0") == both[1].rstrip(b"\0")
    assert other.compile(text, "f.cu", ("-arch=sm_80",))[0].startswith(b"\x7fELF")
    with pytest.raises(CompileError, match=r"f\.cu\(1\)"):
        other.compile("wrong", "f.cu", ("-arch=sm_80",))

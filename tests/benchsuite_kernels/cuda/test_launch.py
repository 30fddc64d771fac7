"""What a launch refuses, and what it hands to the driver."""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from benchsuite_kernels.cuda import device_kernel
from benchsuite_kernels.cuda import launch as launching
from benchsuite_kernels.cuda.compile import architecture, machine_code
from benchsuite_kernels.cuda.device_kernel import DeviceKernel
from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.cuda.nvrtc import CompileError, nvrtc_problem
from benchsuite_kernels.cuda.signature import signatures
from benchsuite_kernels.cuda.source import sources

SOURCE = """
#include "scalar.cuh"
extern "C" __global__ void __launch_bounds__(32)
    scale(const SCALAR* __restrict__ in, unsigned char* out, long long n /* of both */,
          float factor) {
  if (threadIdx.x < n) out[threadIdx.x] = load(in + threadIdx.x) * factor;
}
"""
NEEDS_NVRTC = pytest.mark.skipif(nvrtc_problem() is not None, reason=str(nvrtc_problem()))


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "scale.cu").write_text(SOURCE)
    return str(tmp_path / "scale.cu")


ONES, BYTES = torch.ones(8), torch.zeros(8, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("arguments", "scalar", "what"),
    [
        ((ONES, BYTES, 8), torch.float32, "takes 4 arguments, not 3"),
        ((ONES, BYTES, 8.0, 2.0), torch.float32, r"8\.0 is given for long long n"),
        ((ONES, BYTES, 8, 2), torch.float32, "2 is given for float factor"),
        ((ONES, ONES, 8, 2.0), torch.float32, "a torch.float32 tensor is given for unsigned char"),
        ((ONES, BYTES, 8, 2.0), torch.float16, r"a torch\.float32 tensor is given for const SCAL"),
        ((8, BYTES, 8, 2.0), torch.float32, "8 is given for const SCALAR"),
        ((ONES, BYTES, ONES, 2.0), torch.float32, "tensor is given for long long n"),
    ],
)
def test_arguments_that_a_kernel_does_not_take_are_refused(
    source: str, arguments: tuple, scalar: torch.dtype, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        launch(
            source, "scale", grid=(1, 1, 1), block=(32, 1, 1), arguments=arguments, scalar=scalar
        )


@pytest.mark.parametrize(
    ("grid", "block"),
    [((1, 65536, 1), (1, 1, 1)), ((2**31, 1, 1), (1, 1, 1)), ((1, 1, 1), (64, 32, 1))],
)
def test_launches_that_are_too_large_are_refused(source: str, grid: tuple, block: tuple) -> None:
    with pytest.raises(ValueError, match=r"exceeds|more than"):
        launch(source, "scale", grid=grid, block=block, arguments=(ONES, BYTES, 8, 2.0))


def test_a_kernel_that_is_not_there_is_named(source: str) -> None:
    with pytest.raises(ValueError, match=r"no kernel shrink; it has scale"):
        launch(source, "shrink", grid=(1, 1, 1), block=(1, 1, 1), arguments=(ONES,))


def test_parameters_of_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="'int n' is neither"):
        signatures('extern "C" __global__ void f(float* x, int n) {}')


@NEEDS_NVRTC
def test_machine_code_is_compiled_once(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))
    first = machine_code(source, torch.float16, (9, 0))
    assert first.startswith(b"\x7fELF")
    (kept,) = (tmp_path / "cache" / "cuda").iterdir()
    kept.write_bytes(b"from the cache")
    assert machine_code(source, torch.float16, (9, 0)) == b"from the cache"
    assert machine_code(source, torch.bfloat16, (9, 0)) != first


@NEEDS_NVRTC
def test_a_later_gpu_gets_code_that_it_can_translate() -> None:
    assert architecture((8, 0)) == "sm_80"
    assert architecture((9, 7)) == "sm_90"
    assert architecture((99, 0)).startswith("compute_")
    with pytest.raises(RuntimeError, match="as old as"):
        architecture((1, 0))


@NEEDS_NVRTC
def test_a_source_that_does_not_compile_is_shown_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.cu").write_text("\n\nint wrong = ;\n")
    with pytest.raises(CompileError, match=r"(?s)wrong.cu does not compile.*wrong\.cu\(3\)"):
        machine_code(str(tmp_path / "wrong.cu"), torch.float32, (9, 0))


class Driver(ModuleType):
    """Stands in for CuPy's driver: keeps what it is given."""

    class CUDADriverError(RuntimeError):
        pass

    def __init__(self) -> None:
        super().__init__("driver")
        self.launches: list[tuple] = []
        self.attributes: list[tuple] = []

    def funcSetAttribute(self, *arguments: int) -> None:
        self.attributes.append(arguments)

    def launchKernel(self, *arguments: int) -> None:
        if arguments[1] == 7:
            raise self.CUDADriverError("CUDA_ERROR_INVALID_VALUE")
        pointers = (ctypes.c_void_p * 4).from_address(arguments[9])
        words = [ctypes.string_at(each, 8) for each in pointers]
        values = (*struct.unpack("<Qq", words[0] + words[2]), *struct.unpack("<f4x", words[3]))
        self.launches.append((*arguments[:9], values))


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = Driver()
    api = ModuleType("cupy_backends.cuda.api")
    api.driver = driver  # type: ignore[attr-defined]
    for name in ("cupy_backends", "cupy_backends.cuda"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.api", api)
    module = SimpleNamespace(get_function=lambda name: SimpleNamespace(ptr=4711))
    monkeypatch.setattr(device_kernel, "_module", lambda *_: module)
    monkeypatch.setattr(torch.cuda, "device", lambda index: nullcontext())
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    monkeypatch.setattr(torch._C, "_cuda_getDevice", lambda: 1, raising=False)
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda at: 90 + at, raising=False)
    yield driver


def test_the_driver_gets_stream_sizes_and_arguments(source: str, driver: Driver) -> None:
    kernel = DeviceKernel(source, "scale", torch.float32, 1)
    kernel((2, 3, 4), (32, 1, 1), 0, [2**63 + 5, 6, -7, 0.1])
    kernel((1, 1, 1), (8, 1, 1), 60000, [1, 2, 2**40, 2.0])
    kernel((1, 1, 1), (8, 1, 1), 50000, [1, 2, 3, 2.0])
    nearest = struct.unpack("<f", struct.pack("<f", 0.1))[0]
    assert driver.launches == [
        (4711, 2, 3, 4, 32, 1, 1, 0, 91, (2**63 + 5, -7, nearest)),
        (4711, 1, 1, 1, 8, 1, 1, 60000, 91, (1, 2**40, 2.0)),
        (4711, 1, 1, 1, 8, 1, 1, 50000, 91, (1, 3, 2.0)),
    ]
    assert driver.attributes == [(4711, 8, 60000)]


def test_a_failed_launch_tells_the_kernel_and_the_sizes(source: str, driver: Driver) -> None:
    kernel = DeviceKernel(source, "scale", torch.float32, 1)
    with pytest.raises(RuntimeError, match=r"scale .* grid \(7, 1, 1\).*INVALID_VALUE"):
        kernel((7, 1, 1), (32, 1, 1), 0, [1, 2, 3, 2.0])


def test_a_kernel_is_not_loaded_while_a_graph_is_captured(
    source: str, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    with pytest.raises(RuntimeError, match=r"prepare\(\)"):
        DeviceKernel(source, "scale", torch.float32, 1)


def test_everything_is_loaded_before_a_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, loaded = [], []
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, 0))
    monkeypatch.setattr(launching, "machine_code", lambda *each: compiled.append(each))
    monkeypatch.setattr(launching, "_function", lambda *each: loaded.append(each))
    assert launching.prepare([torch.bfloat16], "cuda:1") == len(loaded)
    assert {source for source, _, _ in compiled} == set(sources())
    assert ("roi_align.cu", torch.bfloat16, (9, 0)) in compiled
    assert ("nms.cu", torch.float32, (9, 0)) in compiled  # which knows no SCALAR
    assert len(set(compiled)) == len(compiled) == len(sources())
    assert ("roi_align.cu", "roi_align_planes", torch.bfloat16, 1) in loaded

"""Emulated CUDA C++: barriers, warps, atomics and numbers against values worked out by hand."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from benchsuite_kernels.cuda.emulation import build
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, thread_order
from benchsuite_kernels.cuda.launch import launch

pytestmark = pytest.mark.skipif(emulation_problem() is not None, reason=str(emulation_problem()))


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Kernels with and without faults, as a source of their own."""
    path = tmp_path_factory.mktemp("cuda") / "kernels.cu"
    path.write_text(SOURCE)
    return str(path)


SOURCE = r"""
#include "scalar.cuh"
constexpr unsigned kAll = 0xffffffffu;

// Each thread reads what another one wrote.
extern "C" __global__ void rotate(const float* in, float* out) {
  __shared__ float tile[64];
  tile[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = tile[(threadIdx.x + 1) % 64];
}
extern "C" __global__ void rotate_without_barrier(const float* in, float* out) {
  __shared__ float tile[64];
  tile[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = tile[(threadIdx.x + 1) % 64];
}
extern "C" __global__ void diverge(float* out) {
  if (threadIdx.x < 3) __syncthreads();
  out[threadIdx.x] = 1;
}
extern "C" __global__ void two_barriers(float* out) {
  if (threadIdx.x % 2)
    __syncthreads();
  else
    __syncthreads();
  out[threadIdx.x] = 1;
}
extern "C" __global__ void absent_from_mask(float* out) {
  __syncwarp(1u);
  out[threadIdx.x] = 1;
}
extern "C" __global__ void votes(long long* out) {
  const int lane = threadIdx.x;
  long long* row = out + lane * 8;
  row[0] = __ballot_sync(kAll, lane % 3 == 0);
  row[1] = __any_sync(kAll, lane == 31);
  row[2] = __all_sync(kAll, lane < 31);
  row[3] = __match_any_sync(kAll, lane % 4);
  row[4] = lane < 8 ? __ballot_sync(0xffu, lane > 5) : __ballot_sync(~0xffu, lane > 29);
  row[5] = __syncthreads_count(lane < 5);
  row[6] = __syncthreads_or(lane == 7);
  row[7] = __syncthreads_and(lane != 7);
}
extern "C" __global__ void shuffles(float* out) {
  const int lane = threadIdx.x;
  const float value = lane;
  float* row = out + lane * 6;
  row[0] = __shfl_sync(kAll, value, 5);
  row[1] = __shfl_up_sync(kAll, value, 2);
  row[2] = __shfl_down_sync(kAll, value, 3);
  row[3] = __shfl_xor_sync(kAll, value, 7);
  row[4] = __shfl_down_sync(kAll, value, 1, 8);
  row[5] = __shfl_sync(kAll, value, 1, 4);
}
extern "C" __global__ void atomics(int* counts, float* sum, unsigned long long* best) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(counts, 1);
  atomicMax(counts + 1, i);
  atomicMin(counts + 2, -i);
  atomicOr(counts + 3, 1 << i % 30);
  atomicCAS(counts + 4, 0, i + 1);
  atomicExch(counts + 5, 9);
  atomicAdd(sum, 0.5f);
  atomicMax(best, (unsigned long long)i << 32);
}
extern "C" __global__ void bits(int* out) {
  out[0] = __popc(0xf0f0f0f0u);
  out[1] = __popcll(0xffffffffffull);
  out[2] = __ffs(0x50);
  out[3] = __ffsll(1ll << 40);
  out[4] = __clz(1);
  out[5] = __clz(0);
  out[6] = (int)__brev(1u);
  out[7] = __float_as_int(1.0f);
  out[8] = __float2int_rd(-2.5f);
  out[9] = __float2int_rn(2.5f);
  out[10] = __float2int_rz(1e20f);
  out[11] = __float2int_rz(__int_as_float(0x7fc00000));
  out[12] = (int)__funnelshift_r(0x80000000u, 1u, 31);
  out[13] = max(-3, 2) - min(-3, 2);
}
extern "C" __global__ void dynamic(const int* in, int* out, long long n) {
  extern __shared__ int queue[];
  for (int i = threadIdx.x; i < n; i += blockDim.x) queue[i] = in[i];
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) out[i] = queue[n - 1 - i];
}
extern "C" __global__ void uninitialised(float* out) {
  __shared__ float tile[2];
  out[blockIdx.x] = tile[1];
  __syncthreads();
  tile[1] = 3;
}
extern "C" __global__ void round_trip(const float* in, SCALAR* half, float* out, long long n) {
  for (long long i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    store(half + i, in[i]);
    out[i] = load(half + i);
  }
}
extern "C" __global__ void places(int* out) {
  const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += block * 1000 + thread;
}
"""


def run(
    source: str, kernel: str, *arguments: object, grid: int = 1, block: int = 32, **more
) -> None:
    launch(source, kernel, grid=(grid, 1, 1), block=(block, 1, 1), arguments=arguments, **more)


@pytest.mark.parametrize("order", ORDERS)
def test_a_barrier_makes_every_order_the_same(kernels: str, order: str) -> None:
    given, out = torch.randn(64), torch.empty(64)
    with thread_order(order):
        run(kernels, "rotate", given, out, block=64)
    assert torch.equal(out, given.roll(-1))


def test_results_without_a_barrier_change_with_the_order(kernels: str) -> None:
    given, found = torch.randn(64), {}
    for order in ORDERS:
        out = torch.empty(64)
        with thread_order(order):
            run(kernels, "rotate_without_barrier", given, out, block=64)
        found[order] = out
    assert not torch.equal(found["forward"], given.roll(-1))
    assert not torch.equal(found["forward"], found["reversed"])
    assert not torch.equal(found["shuffled"], given.roll(-1))


def line_of(text: str, nth: int = 0) -> int:
    """The number of the nth line of the kernels that has this text."""
    return [i for i, line in enumerate(SOURCE.splitlines(), 1) if text in line][nth]


def refused(source: str, kernel: str) -> str:
    """What is said of a launch that fails; the next one is sound."""
    with pytest.raises(RuntimeError) as caught:
        run(source, kernel, torch.zeros(32))
    given, out = torch.randn(64), torch.empty(64)
    run(source, "rotate", given, out, block=64)
    assert torch.equal(out, given.roll(-1))
    return str(caught.value)


def test_a_barrier_that_some_threads_pass_by_is_reported(kernels: str) -> None:
    said = refused(kernels, "diverge")
    assert said.startswith("diverge, block (0, 0, 0): not all threads reach the same barrier")
    at = line_of("if (threadIdx.x < 3) __syncthreads")
    assert f"(0, 0, 0), (1, 0, 0), (2, 0, 0) wait at __syncthreads ({kernels}:{at})" in said
    assert "29 of 32 have returned" in said


def test_threads_at_different_barriers_are_reported(kernels: str) -> None:
    odd, even = line_of("    __syncthreads();", 0), line_of("    __syncthreads();", 1)
    said = refused(kernels, "two_barriers")
    assert said.index(f"kernels.cu:{even}") < said.index("(1, 0, 0)") < said.index(f"cu:{odd}")


def test_a_thread_outside_of_the_mask_it_names_is_reported(kernels: str) -> None:
    assert "thread (1, 0, 0) at __syncwarp" in refused(kernels, "absent_from_mask")


@pytest.mark.parametrize("order", ORDERS)
def test_votes_of_a_warp_and_a_block(kernels: str, order: str) -> None:
    out = torch.empty(32, 8, dtype=torch.int64)
    with thread_order(order, 5):
        run(kernels, "votes", out)
    thirds = sum(1 << lane for lane in range(0, 32, 3))
    for lane, row in enumerate(out.tolist()):
        same = sum(1 << other for other in range(lane % 4, 32, 4))
        assert row == [thirds, 1, 0, same, 0xC0 if lane < 8 else 0xC0000000, 5, 1, 0]


@pytest.mark.parametrize("order", ORDERS)
def test_shuffles(kernels: str, order: str) -> None:
    out = torch.empty(32, 6)
    with thread_order(order, 5):
        run(kernels, "shuffles", out)
    for lane, row in enumerate(out.tolist()):
        down = lane + 3 if lane < 29 else lane
        within = lane + 1 if lane % 8 < 7 else lane
        up = lane - 2 if lane > 1 else lane
        assert row == [5, up, down, lane ^ 7, within, lane // 4 * 4 + 1]


def test_atomics_of_several_blocks(kernels: str) -> None:
    counts = torch.zeros(6, dtype=torch.int32)
    total, best = torch.zeros(1), torch.zeros(1, dtype=torch.int64)
    run(kernels, "atomics", counts, total, best, grid=3, block=40)
    assert counts.tolist() == [120, 119, -119, 2**30 - 1, 1, 9]
    assert (total.item(), best.item()) == (60.0, 119 << 32)


def test_bits_and_conversions(kernels: str) -> None:
    out = torch.empty(14, dtype=torch.int32)
    run(kernels, "bits", out, block=1)
    largest, smallest = 2**31 - 1, -(2**31)
    assert out.tolist() == [16, 40, 5, 41, 31, 32, smallest, 0x3F800000, -3, 2, largest, 0, 3, 5]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_as_torch_does(kernels: str, dtype: torch.dtype) -> None:
    every = torch.arange(65536, dtype=torch.int32).to(torch.int16).view(dtype).float()
    generator = torch.Generator().manual_seed(0)
    anything = torch.randint(-(2**31), 2**31, (20000,), generator=generator).int()
    between = (every[:-1] + every[1:]) / 2  # ties
    given = torch.cat([every, between, anything.view(torch.float32)])
    half, out = torch.empty(len(given), dtype=dtype), torch.empty(len(given))
    run(kernels, "round_trip", given, half, out, len(given), grid=9, scalar=dtype)
    torch.testing.assert_close(half, given.to(dtype), rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(out, given.to(dtype).float(), rtol=0, atol=0, equal_nan=True)


def test_dynamic_shared_memory(kernels: str) -> None:
    given = torch.arange(100, dtype=torch.int32)
    out = torch.empty_like(given)
    run(kernels, "dynamic", given, out, 100, shared_bytes=400)
    assert torch.equal(out, given.flip(0))


def test_shared_memory_begins_with_rubbish_in_each_block(kernels: str) -> None:
    out = torch.zeros(3)
    run(kernels, "uninitialised", out, grid=3, block=1)
    assert out.isnan().all()


@pytest.mark.parametrize("order", ORDERS)
def test_every_block_and_thread_runs_once(kernels: str, order: str) -> None:
    out = torch.zeros(24 * 30, dtype=torch.int32)
    with thread_order(order):
        launch(kernels, "places", grid=(2, 3, 4), block=(5, 3, 2), arguments=(out,))
    want = [block * 1000 + thread for block in range(24) for thread in range(30)]
    assert out.tolist() == want


OUT_OF_BOUNDS = """
import sys, torch
from benchsuite_kernels.cuda.launch import launch
out = torch.zeros(100, dtype=torch.int32)
launch(sys.argv[1], "dynamic", grid=(1, 1, 1), block=(32, 1, 1), arguments=(out, out, 100),
       shared_bytes=396)
"""


def test_the_address_sanitizer_names_the_line(kernels: str) -> None:
    runtime = build.sanitizer_runtime()
    if runtime is None:
        pytest.skip("the compiler has no address sanitizer")
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_BOUNDS, kernels],
        env=os.environ
        | {"LD_PRELOAD": runtime, build.VARIABLE: "address", "ASAN_OPTIONS": "detect_leaks=0"}
        | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "WRITE of size 4" in done.stderr
    assert f"kernels.cu:{line_of('queue[i] = in[i]')}" in done.stderr

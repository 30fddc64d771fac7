// CUDA C++ as the kernels' sources use it, for a compiler that knows only C++.
//
// Single precision functions are the C library's: within a few last places of CUDA's, and the same
// where CUDA rounds exactly (sums, products, quotients, square roots, conversions).
#pragma once

#include "launch.hpp"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

#define threadIdx (emulation::threads[emulation::current].index)
#define blockIdx emulation::block_index
#define blockDim emulation::block_size
#define gridDim emulation::grid_size
constexpr int warpSize = emulation::kWarp;

#include "atomics.hpp"
#include "intrinsics.hpp"
#include "vectors.hpp"
#include "warp.hpp"

// Masks as packed bits: read column by column, pixel p is bit p % 32 of 32-bit word p / 32. Outside
// of kernels words have 64 bits, which in memory are two of these, the lower first.
#pragma once

#define WORD_BITS 32
#define ALL_BITS 0xffffffffu

// Bits below `count`, of 0 to 32.
__device__ __forceinline__ unsigned low_bits(int count) {
  return count >= WORD_BITS ? ALL_BITS : (1u << count) - 1u;
}

// The sum of `value` over the threads of a block of up to 32 whole warps, for thread 0.
// `shared`: 32 numbers.
__device__ __forceinline__ long long block_sum(long long value, long long* shared) {
  for (int step = 16; step; step /= 2) value += __shfl_down_sync(ALL_BITS, value, step);
  __syncthreads();
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  long long sum = 0;
  if (threadIdx.x == 0)
    for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += shared[warp];
  return sum;
}

// The sum of `value` over the threads before this one in a block of up to 32 whole warps; `total`
// becomes that over all. `shared`: 32 numbers.
__device__ __forceinline__ long long sum_before(long long value, long long* shared,
                                                long long* total) {
  const int lane = threadIdx.x % 32, own_warp = threadIdx.x / 32;
  long long sum = value;
  for (int step = 1; step < 32; step *= 2) {
    const long long below = __shfl_up_sync(ALL_BITS, sum, step);
    if (lane >= step) sum += below;
  }
  __syncthreads();
  if (lane == 31) shared[own_warp] = sum;
  __syncthreads();
  long long before = 0, all = 0;
  for (int warp = 0; warp < static_cast<int>(blockDim.x / 32); ++warp) {
    if (warp < own_warp) before += shared[warp];
    all += shared[warp];
  }
  *total = all;
  return before + sum - value;
}

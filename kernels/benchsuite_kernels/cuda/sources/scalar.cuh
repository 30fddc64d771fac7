// The type of features and logits: SCALAR is float, __half or __nv_bfloat16. Kernels compute in
// float.
#pragma once

#if defined(SCALAR_IS_HALF)
#include <cuda_fp16.h>
#define SCALAR __half
__device__ __forceinline__ float load(const SCALAR* at) { return __half2float(*at); }
__device__ __forceinline__ void store(SCALAR* at, float value) { *at = __float2half_rn(value); }
#elif defined(SCALAR_IS_BFLOAT16)
#include <cuda_bf16.h>
#define SCALAR __nv_bfloat16
__device__ __forceinline__ float load(const SCALAR* at) { return __bfloat162float(*at); }
__device__ __forceinline__ void store(SCALAR* at, float value) { *at = __float2bfloat16_rn(value); }
#else
#define SCALAR float
__device__ __forceinline__ float load(const SCALAR* at) { return *at; }
__device__ __forceinline__ void store(SCALAR* at, float value) { *at = value; }
#endif

// Functions that the C++ kernels have in common with the CUDA ones.
#pragma once

#if defined(__CUDACC__)
#define SHARED_INLINE __device__ __forceinline__
#else
#define SHARED_INLINE inline
#endif

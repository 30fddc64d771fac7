// Compiles a function once per instruction set; the loader picks what the processor has.
//
// Only named functions can be cloned (lambdas and templates are not), and only where the C library
// resolves symbols at load time. Elsewhere the function is compiled once, for the baseline.
#pragma once

#include <cstdlib>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define BENCHSUITE_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#endif

#ifndef BENCHSUITE_CLONES
#define BENCHSUITE_CLONES
#endif

#if defined(_MSC_VER)
#define BENCHSUITE_RESTRICT __restrict
#else
#define BENCHSUITE_RESTRICT __restrict__
#endif

// What a clone calls has to become a part of it, to be compiled for its instruction set.
#if defined(__GNUC__)
#define BENCHSUITE_INLINE inline __attribute__((always_inline))
#else
#define BENCHSUITE_INLINE inline
#endif

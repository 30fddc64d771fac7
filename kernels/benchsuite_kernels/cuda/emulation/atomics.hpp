// Atomic functions. Threads of a launch never run at the same time here, so that plain ones do.
#pragma once

#include <cstdint>

namespace emulation {

template <class T>
T exchanged(T* at, T value) {
  const T old = *at;
  *at = value;
  return old;
}

}  // namespace emulation

#define EMULATION_ATOMIC(name, type, result)                            \
  inline type name(type* at, type value) {                              \
    return emulation::exchanged<type>(at, static_cast<type>(result));   \
  }
#define EMULATION_ATOMIC_INTEGERS(name, result)      \
  EMULATION_ATOMIC(name, int, result)                \
  EMULATION_ATOMIC(name, unsigned, result)           \
  EMULATION_ATOMIC(name, unsigned long long, result)

EMULATION_ATOMIC_INTEGERS(atomicAdd, *at + value)
EMULATION_ATOMIC(atomicAdd, float, *at + value)
EMULATION_ATOMIC(atomicAdd, double, *at + value)
EMULATION_ATOMIC(atomicSub, int, *at - value)
EMULATION_ATOMIC(atomicSub, unsigned, *at - value)
EMULATION_ATOMIC_INTEGERS(atomicExch, value)
EMULATION_ATOMIC(atomicExch, float, value)
EMULATION_ATOMIC_INTEGERS(atomicMin, *at < value ? *at : value)
EMULATION_ATOMIC(atomicMin, long long, *at < value ? *at : value)
EMULATION_ATOMIC_INTEGERS(atomicMax, *at > value ? *at : value)
EMULATION_ATOMIC(atomicMax, long long, *at > value ? *at : value)
EMULATION_ATOMIC_INTEGERS(atomicAnd, *at & value)
EMULATION_ATOMIC_INTEGERS(atomicOr, *at | value)
EMULATION_ATOMIC_INTEGERS(atomicXor, *at ^ value)
EMULATION_ATOMIC(atomicInc, unsigned, *at >= value ? 0 : *at + 1)
EMULATION_ATOMIC(atomicDec, unsigned, *at == 0 || *at > value ? value : *at - 1)

#undef EMULATION_ATOMIC_INTEGERS
#undef EMULATION_ATOMIC

#define EMULATION_CAS(type)                                             \
  inline type atomicCAS(type* at, type compare, type value) {           \
    return emulation::exchanged<type>(at, *at == compare ? value : *at); \
  }
EMULATION_CAS(int)
EMULATION_CAS(unsigned)
EMULATION_CAS(unsigned short)
EMULATION_CAS(unsigned long long)
#undef EMULATION_CAS

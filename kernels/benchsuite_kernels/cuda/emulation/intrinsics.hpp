// Functions on numbers that CUDA knows without any header.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

// Bits.
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline unsigned __brev(unsigned x) {
  x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
  x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
  x = (x & 0x0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0fu);
  return __builtin_bswap32(x);
}
inline unsigned long long __brevll(unsigned long long x) {
  return static_cast<unsigned long long>(__brev(static_cast<unsigned>(x))) << 32 |
         __brev(static_cast<unsigned>(x >> 32));
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}
// Bits [shift, shift + 32) of high:low; the shift is taken modulo 32.
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<unsigned long long>(high) << 32 | low) >>
                               (shift & 31));
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>(
      (static_cast<unsigned long long>(high) << 32 | low) << (shift & 31) >> 32);
}

namespace emulation {

template <class To, class From>
To bits_of(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Out of range values become the nearest integer that there is, NaN zero, as on a GPU.
template <class To>
To saturated(double value) {
  constexpr To low = sizeof(To) == 4 ? (To(-1) < 0 ? To(-2147483647 - 1) : To(0))
                                     : (To(-1) < 0 ? To(-9223372036854775807LL - 1) : To(0));
  constexpr To high = static_cast<To>(~low);
  if (value != value) return 0;
  if (value <= static_cast<double>(low)) return low;
  if (value >= static_cast<double>(high)) return high;
  return static_cast<To>(value);
}

}  // namespace emulation

inline float __int_as_float(int x) { return emulation::bits_of<float>(x); }
inline int __float_as_int(float x) { return emulation::bits_of<int>(x); }
inline float __uint_as_float(unsigned x) { return emulation::bits_of<float>(x); }
inline unsigned __float_as_uint(float x) { return emulation::bits_of<unsigned>(x); }
inline double __longlong_as_double(long long x) { return emulation::bits_of<double>(x); }
inline long long __double_as_longlong(double x) { return emulation::bits_of<long long>(x); }

// Conversions: rd down, ru up, rn to the nearest, rz toward zero.
#define EMULATION_CONVERSIONS(name, type)                                                    \
  inline type name##_rd(float x) { return emulation::saturated<type>(std::floor(x)); }       \
  inline type name##_ru(float x) { return emulation::saturated<type>(std::ceil(x)); }        \
  inline type name##_rn(float x) { return emulation::saturated<type>(std::nearbyint(x)); }   \
  inline type name##_rz(float x) { return emulation::saturated<type>(std::trunc(x)); }
EMULATION_CONVERSIONS(__float2int, int)
EMULATION_CONVERSIONS(__float2uint, unsigned)
EMULATION_CONVERSIONS(__float2ll, long long)
#undef EMULATION_CONVERSIONS
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ll2float_rn(long long x) { return static_cast<float>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }

// Arithmetic, rounded to the nearest.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }
inline float rsqrtf(float x) { return static_cast<float>(1.0 / std::sqrt(double{x})); }
inline float fdividef(float a, float b) { return a / b; }

// min and max of numbers: a NaN gives way to the other.
#define EMULATION_MIN_MAX(type)                                    \
  inline type min(type a, type b) { return b < a ? b : a; }        \
  inline type max(type a, type b) { return a < b ? b : a; }
EMULATION_MIN_MAX(int)
EMULATION_MIN_MAX(unsigned)
EMULATION_MIN_MAX(long long)
EMULATION_MIN_MAX(unsigned long long)
#undef EMULATION_MIN_MAX
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }
using std::abs;
using std::isfinite;
using std::isinf;
using std::isnan;
using std::signbit;

template <class T>
T __ldg(const T* at) {
  return *at;
}

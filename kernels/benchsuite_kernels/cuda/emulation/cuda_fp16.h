// IEEE half precision: its numbers, and conversions rounded to the nearest even.
#pragma once

#include "intrinsics.hpp"
#include "vectors.hpp"

struct __half {
  unsigned short bits;
};
struct alignas(4) __half2 {
  __half x, y;
};

inline __half __ushort_as_half(unsigned short bits) { return {bits}; }
inline unsigned short __half_as_ushort(__half value) { return value.bits; }

inline float __half2float(__half value) {
  const unsigned sign = (value.bits & 0x8000u) << 16, rest = value.bits & 0x7fffu;
  if (rest >= 0x7c00u) return __uint_as_float(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
  if (rest >= 0x400u) return __uint_as_float(sign | ((rest << 13) + 0x38000000u));
  const float small = static_cast<float>(rest) * 0x1p-24f;
  return sign ? -small : small;
}

inline __half __float2half_rn(float value) {
  const unsigned bits = __float_as_uint(value), rest = bits & 0x7fffffffu;
  const unsigned sign = bits >> 16 & 0x8000u;
  unsigned half;
  if (rest > 0x7f800000u)
    return {0x7fff};
  else if (rest >= 0x477ff000u)  // 65520, half-way to the number that is too large
    half = 0x7c00;
  else if (rest < 0x38800000u)  // below the least normal number
    half = static_cast<unsigned>(std::nearbyint(__uint_as_float(rest) * 0x1p24f));
  else
    half = (rest + 0xfffu + (rest >> 13 & 1) - 0x38000000u) >> 13;
  return {static_cast<unsigned short>(sign | half)};
}
inline __half __float2half(float value) { return __float2half_rn(value); }

inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline __half2 __floats2half2_rn(float x, float y) {
  return {__float2half_rn(x), __float2half_rn(y)};
}
inline __half2 __float22half2_rn(float2 pair) { return __floats2half2_rn(pair.x, pair.y); }
inline float2 __half22float2(__half2 pair) { return {__half2float(pair.x), __half2float(pair.y)}; }
inline float __low2float(__half2 pair) { return __half2float(pair.x); }
inline float __high2float(__half2 pair) { return __half2float(pair.y); }

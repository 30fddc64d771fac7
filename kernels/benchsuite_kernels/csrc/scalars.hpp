// Half precision to float and back, without a branch that would keep loops from being vectorised.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor_view.hpp"

namespace benchsuite {

inline uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float float_of(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline float widened(float value) { return value; }

inline float widened(BFloat16 value) { return float_of(uint32_t{value.bits} << 16); }

inline float widened(Half value) {
  constexpr float kBias = 0x1p112f;  // between the exponents' biases, 127 and 15
  const uint32_t sign = uint32_t{value.bits & 0x8000u} << 16, rest = value.bits & 0x7fffu;
  const uint32_t scaled = bits_of(float_of(rest << 13) * kBias);
  return float_of(sign | scaled | (rest >= 0x7c00u ? 0x7f800000u : 0u));
}

template <class T>
T narrowed(float value);

template <>
inline float narrowed<float>(float value) {
  return value;
}

// To the nearest, halves to the even one; NaN stays one.
template <>
inline BFloat16 narrowed<BFloat16>(float value) {
  const uint32_t bits = bits_of(value);
  const uint32_t nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return {static_cast<uint16_t>(value == value ? nearest : 0x7fc0u)};
}

template <>
inline Half narrowed<Half>(float value) {
  constexpr uint32_t kTooLarge = uint32_t{127 + 16} << 23, kNormal = uint32_t{127 - 14} << 23;
  const uint32_t all = bits_of(value), sign = all & 0x80000000u, bits = all ^ sign;
  const uint32_t special = bits > 0x7f800000u ? 0x7e00u : 0x7c00u;
  // Adding 1/2 leaves the last bit of a subnormal where a float's last bit is, and rounds.
  const uint32_t subnormal = bits_of(float_of(bits) + 0.5f) - bits_of(0.5f);
  const uint32_t normal = (bits - (uint32_t{127 - 15} << 23) + 0xfffu + ((bits >> 13) & 1u)) >> 13;
  const uint32_t rest = bits >= kTooLarge ? special : bits < kNormal ? subnormal : normal;
  return {static_cast<uint16_t>(sign >> 16 | rest)};
}

}  // namespace benchsuite

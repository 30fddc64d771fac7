// Exponential and logarithm in float arithmetic that compilers turn into vector instructions.
#pragma once

#include <cstdint>
#include <cstring>

#include "clones.hpp"

namespace benchsuite {

// exp(-a) for a >= 0, within 1.5 units in the last place; 0 where it is below the least normal
// number. NaN stays NaN.
BENCHSUITE_INLINE float exp_of_minus(float a) {
  // -a = k ln 2 + r with |r| <= ln 2 / 2. Adding and taking away 1.5 * 2^23 rounds to whole numbers,
  // and leaves k in the last bits.
  constexpr float kRounder = 12582912.0f;
  const float shifted = -a * 1.44269504f + kRounder;
  const float k = shifted - kRounder;
  const float r = (-a - k * 0.693359375f) + k * 2.12194440e-4f;
  const float tail =
      r * r *
      (4.999999305e-01f +
       r * (1.666651477e-01f +
            r * (4.166845725e-02f + r * (8.369421031e-03f + r * 1.381312324e-03f))));
  const float power = 1.0f + (r + tail);
  uint32_t bits, exponent;
  std::memcpy(&bits, &power, sizeof bits);
  std::memcpy(&exponent, &shifted, sizeof exponent);
  bits += exponent << 23;
  float scaled;
  std::memcpy(&scaled, &bits, sizeof scaled);
  return a > 87.0f ? 0.0f : (a <= 87.0f ? scaled : a);
}

// log(1 + e) for e in [0, 1], within 2 units in the last place. NaN stays NaN.
BENCHSUITE_INLINE float log_of_one_plus(float e) {
  // 2 artanh(s).
  const float s = e / (2.0f + e);
  const float u = s * s;
  const float tail =
      s * u *
      (6.666667563e-01f +
       u * (3.999887718e-01f + u * (2.861690148e-01f + u * (2.142746262e-01f + u * 2.430171988e-01f))));
  return 2.0f * s + tail;
}

}  // namespace benchsuite

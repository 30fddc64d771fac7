// Decimal numbers to the nearest double, ties to even: what strtod and Python's float() give.
#pragma once

#include <cstdint>
#include <cstring>

namespace benchsuite {

// The double of a decimal literal ("-12.5e-3"), however long, by the C++ or the C library.
double decimal_by_library(const char* begin, const char* end);

namespace decimal {

constexpr int kMostDivided = 27;  // 5^27 is the largest power of five below 2^63

// For each k a 64-bit approximation from below of 2^(127 - shift) / 5^k, and the shift that brings
// the highest bit of 5^k to the top of 64 bits.
struct Reciprocals {
  uint64_t of[kMostDivided + 1];
  int shift[kMostDivided + 1];
};

constexpr Reciprocals reciprocals() {
  Reciprocals table{};
  uint64_t power = 1;
  for (int k = 1; k <= kMostDivided; ++k) {
    power *= 5;
    uint64_t divisor = power;
    int shift = 0;
    for (; !(divisor >> 63); divisor <<= 1) ++shift;
    // Long division of 2^127 by the divisor, bit by bit.
    uint64_t quotient = 0, rest = uint64_t{1} << 63;
    for (int bit = 0; bit < 64; ++bit) {
      const bool carry = rest >> 63;
      rest <<= 1;
      quotient <<= 1;
      if (carry || rest >= divisor) {
        rest -= divisor;
        quotient |= 1;
      }
    }
    table.of[k] = quotient;
    table.shift[k] = shift;
  }
  return table;
}

constexpr Reciprocals kReciprocals = reciprocals();

constexpr double kTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

inline uint64_t high_product(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(a) * b) >> 64);
#else
  const uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
  const uint64_t middle = a1 * b0 + ((a0 * b0) >> 32);
  const uint64_t other = a0 * b1 + (middle & 0xffffffff);
  return a1 * b1 + (middle >> 32) + (other >> 32);
#endif
}

inline int leading_zeros(uint64_t bits) {
#if defined(__GNUC__)
  return __builtin_clzll(bits);
#else
  int zeros = 0;
  for (int step = 32; step; step /= 2)
    if (!(bits >> (64 - step))) {
      zeros += step;
      bits <<= step;
    }
  return zeros;
#endif
}

inline double power_of_two(int exponent) {
  const uint64_t bits = static_cast<uint64_t>(exponent + 1023) << 52;
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// digits / 10^k for 1 <= k <= 27 and digits > 0; false where 64 bits do not tell which of two
// doubles is nearer.
inline bool divided(uint64_t digits, int k, double& value) {
  const int zeros = leading_zeros(digits);
  // The quotient, times 2^63, lies in [quotient, quotient + 2): each factor was cut off below.
  const uint64_t quotient = high_product(digits << zeros, kReciprocals.of[k]);
  const int drop = quotient >> 63 ? 11 : 10;
  const uint64_t low = quotient & ((uint64_t{1} << drop) - 1), half = uint64_t{1} << (drop - 1);
  if (low == half || low == half - 1) return false;
  const uint64_t mantissa = (quotient + half) >> drop;
  const int exponent = kReciprocals.shift[k] - zeros - k - 63 + drop;
  value = static_cast<double>(mantissa) * power_of_two(exponent);
  return true;
}

}  // namespace decimal

// digits * 10^exponent, where [begin, end) is the literal it was read from, sign included.
inline double decimal_to_double(uint64_t digits, int exponent, bool negative, const char* begin,
                                const char* end) {
  double value;
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
  return decimal_by_library(begin, end);
#endif
  if (digits >> 53 == 0 && exponent >= -22 && exponent <= 22) {
    // Both are exact, so that one operation rounds once (Clinger, How to Read Floating Point
    // Numbers Accurately, 1990).
    value = static_cast<double>(digits);
    value = exponent < 0 ? value / decimal::kTen[-exponent] : value * decimal::kTen[exponent];
  } else if (exponent == 0) {
    value = static_cast<double>(digits);
  } else if (!(digits && exponent < 0 && exponent >= -decimal::kMostDivided &&
               decimal::divided(digits, -exponent, value))) {
    return decimal_by_library(begin, end);
  }
  return negative ? -value : value;
}

}  // namespace benchsuite

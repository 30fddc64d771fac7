// The sum of doubles in the order that NumPy adds them: pairwise, in blocks of 128.
#pragma once

#include <cstddef>

namespace benchsuite {

inline double pairwise_sum(const double* values, size_t count) {
  if (count < 8) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += values[i];
    return sum;
  }
  if (count <= 128) {
    double sums[8];
    for (size_t j = 0; j < 8; ++j) sums[j] = values[j];
    size_t i = 8;
    for (; i < count - count % 8; i += 8)
      for (size_t j = 0; j < 8; ++j) sums[j] += values[i + j];
    double sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
                 ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    for (; i < count; ++i) sum += values[i];
    return sum;
  }
  size_t half = count / 2;
  half -= half % 8;
  return pairwise_sum(values, half) + pairwise_sum(values + half, count - half);
}

}  // namespace benchsuite

// By how much a score decays when a box that overlaps its own is taken.
#pragma once

#include "shared.cuh"

#if !defined(__CUDACC_RTC__)
#include <math.h>
#endif

namespace benchsuite {

// Numbered as METHODS of ops/soft_nms.py.
enum SoftNmsMethod { kHard, kLinear, kGaussian };

struct SoftNmsDecay {
  int method;
  float iou_threshold, sigma;
};

// The factor for an overlap; 1 for NaN.
SHARED_INLINE float soft_nms_factor(const SoftNmsDecay& decay, float overlap) {
  if (decay.method == kGaussian)
    return overlap > 0.0f ? expf(-(overlap * overlap) / decay.sigma) : 1.0f;
  if (!(overlap > decay.iou_threshold)) return 1.0f;
  return decay.method == kLinear ? 1.0f - overlap : 0.0f;
}

}  // namespace benchsuite

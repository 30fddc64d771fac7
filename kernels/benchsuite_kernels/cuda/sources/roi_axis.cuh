// Where the samples of a RoIAlign's bin lie along one axis, and between which features.
#pragma once

#include "shared.cuh"

namespace benchsuite {

// One axis of one box, in features of its map.
struct RoiLine {
  float start, step;  // of the first bin, and from a bin to the next
  int samples;        // a bin; none where the box reads nothing
};

constexpr float kMostRoiSamples = 1 << 20;  // a bin

// How many features a step goes over, rounded up.
SHARED_INLINE int roi_reach(float step) {
  const float size = step < 0 ? -step : step;
  if (!(size < kMostRoiSamples)) return 0;  // so is NaN
  const int whole = static_cast<int>(size);
  return whole + (static_cast<float>(whole) < size ? 1 : 0);
}

// low, high: of the box, input pixels; size: of the feature map.
SHARED_INLINE RoiLine roi_line(float low, float high, float scale, int bins, int sampling_ratio,
                               long long size) {
  const float start = low * scale - 0.5f, extent = high * scale - 0.5f - start;
  const float step = extent / static_cast<float>(bins);
  const bool sound = (step < 0 ? -step : step) < kMostRoiSamples && size > 0;
  const int adaptive = step > 0 ? roi_reach(step) : 0;
  return {start, step, !sound ? 0 : sampling_ratio > 0 ? sampling_ratio : adaptive};
}

// Where the ith sample of a bin lies; they ascend with i.
SHARED_INLINE float roi_sample(const RoiLine& line, int bin, int i) {
  const int sample = line.step < 0 ? line.samples - 1 - i : i;
  return line.start + static_cast<float>(bin) * line.step +
         (static_cast<float>(sample) + 0.5f) * line.step / static_cast<float>(line.samples);
}

// Between which features a sample lies.
struct RoiTap {
  long long low;
  float toward_high;  // the weight of low + 1; low has the rest
  bool inside;        // else it is more than a feature outside the map, and counts as zero
};

SHARED_INLINE RoiTap roi_tap(float at, long long size) {
  if (!(at >= -1.0f && at <= static_cast<float>(size))) return {0, 0.0f, false};
  at = at > 0.0f ? at : 0.0f;
  const long long below = static_cast<long long>(at);
  const long long low = below < size - 1 ? below : size - 1;
  return {low, low < size - 1 ? at - static_cast<float>(low) : 0.0f, true};
}

// Calls add(feature, weight) for the one or two features that each sample of a bin lies between.
template <class Add>
SHARED_INLINE void each_roi_tap(const RoiLine& line, int bin, long long size, Add add) {
  for (int i = 0; i < line.samples; ++i) {
    const RoiTap tap = roi_tap(roi_sample(line, bin, i), size);
    if (!tap.inside) continue;
    add(tap.low, 1.0f - tap.toward_high);
    if (tap.toward_high > 0) add(tap.low + 1, tap.toward_high);
  }
}

}  // namespace benchsuite

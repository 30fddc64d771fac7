// Packed masks as regions see them; ops/crop_packed_masks.py gives the conventions. Sampled, summed
// and rounded as csrc/crop_masks.cpp does, so that both give the same bits.
#include "packed_bits.cuh"

#define MOST_SAMPLES 1048576.0f

// The samples of one cell along one axis.
struct Cell {
  float start, step;
  long long cell, samples, size;

  __device__ __forceinline__ void place(float from, float to, long long cells, long long which,
                                        long long pixels) {
    start = from - 0.5f;
    step = ((to - 0.5f) - start) / static_cast<float>(cells);
    cell = which;
    size = pixels;
    const bool sound = step > 0.0f && step < MOST_SAMPLES && isfinite(start) && size > 0;
    samples = sound ? static_cast<long long>(ceilf(step)) : 0;
  }

  // Between pixels `low` and `high`; false outside the mask.
  __device__ __forceinline__ bool sample(long long i, long long* low, long long* high,
                                         float* to_low, float* to_high) const {
    float at = start + static_cast<float>(cell) * step +
               (static_cast<float>(i) + 0.5f) * step / static_cast<float>(samples);
    if (at < -1.0f || at > static_cast<float>(size)) return false;
    at = fmaxf(at, 0.0f);
    *low = static_cast<long long>(at);
    if (*low >= size - 1) {
      *low = *high = size - 1;
      *to_low = 1.0f;
      *to_high = 0.0f;
    } else {
      *high = *low + 1;
      *to_high = at - static_cast<float>(*low);
      *to_low = 1.0f - *to_high;
    }
    return true;
  }
};

__device__ __forceinline__ float pixel_or_zero(const unsigned* mask, long long pixel,
                                               float weight) {
  return mask[pixel / WORD_BITS] >> (pixel % WORD_BITS) & 1u ? weight : 0.0f;
}

// bits: masks x words 64-bit words; targets: regions x cells x cells. A thread a cell.
extern "C" __global__ void crop_packed_masks(const unsigned* bits, const long long* sizes,
                                             long long masks, long long words,
                                             const long long* index, const float* boxes,
                                             long long regions, long long cells, bool* targets) {
  const long long all = regions * cells * cells;
  const long long threads = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
       i += threads) {
    const long long region = i / (cells * cells), which = index[region];
    if (which < 0 || which >= masks) {
      targets[i] = false;
      continue;
    }
    const long long height = sizes[2 * which], width = sizes[2 * which + 1];
    const unsigned* mask = bits + which * 2 * words;
    const float* box = boxes + 4 * region;
    Cell row, column;
    row.place(box[1], box[3], cells, i / cells % cells, height);
    column.place(box[0], box[2], cells, i % cells, width);
    float sum = 0.0f;
    for (long long y = 0; y < row.samples; ++y) {
      long long top, bottom;
      float to_top, to_bottom;
      if (!row.sample(y, &top, &bottom, &to_top, &to_bottom)) continue;
      for (long long x = 0; x < column.samples; ++x) {
        long long left, right;
        float to_left, to_right;
        if (!column.sample(x, &left, &right, &to_left, &to_right)) continue;
        float value = pixel_or_zero(mask, left * height + top, to_top * to_left);
        value += pixel_or_zero(mask, right * height + top, to_top * to_right);
        value += pixel_or_zero(mask, left * height + bottom, to_bottom * to_left);
        value += pixel_or_zero(mask, right * height + bottom, to_bottom * to_right);
        sum += value;
      }
    }
    const long long samples = row.samples * column.samples;
    targets[i] = samples > 0 && sum / static_cast<float>(samples) >= 0.5f;
  }
}

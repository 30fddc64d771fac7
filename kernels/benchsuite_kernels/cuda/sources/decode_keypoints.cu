// The highest pixel of each heat map, stretched over its box by bicubic interpolation: a block a
// heat map, a thread a row of pixels at a time. Nothing is written but the result.
#include "scalar.cuh"

constexpr int kThreads = 128, kColumns = 256, kTaps = 4;
constexpr float kLongestSide = 65536.0f, kOvershoot = 0.1875f, kRounding = 1e-5f;

// The cubic convolution kernel (Keys, 1981) at a distance of 0 to 1 cells, and of 1 to 2.
__device__ double near_weight(double d) { return (1.25 * d - 2.25) * d * d + 1.0; }
__device__ double far_weight(double d) { return ((-0.75 * d - -3.75) * d + -6.0) * d - -3.0; }

// Returns the cell below a pixel's middle, -1 to side - 1; the taps begin one before it.
__device__ long long bicubic_taps(long long pixel, long long pixels, long long side,
                                  float* weights) {
  const double centre = ((double)pixel + 0.5) * (double)side / (double)pixels - 0.5;
  const double cell = floor(centre);
  weights[0] = (float)far_weight(centre - (cell - 1.0));
  weights[1] = (float)near_weight(centre - cell);
  weights[2] = (float)near_weight(cell + 1.0 - centre);
  weights[3] = (float)far_weight(cell + 2.0 - centre);
  return (long long)cell;
}

__device__ __forceinline__ long long clamped(long long cell, long long side) {
  return cell < 0 ? 0 : cell < side ? cell : side - 1;
}

// Whether a pixel is better than another: higher (NaN most of all), or as high and earlier.
__device__ __forceinline__ bool better(float value, long long at, float other, long long there) {
  const bool is_nan = value != value, was_nan = other != other;
  if (is_nan != was_nan) return is_nan;
  return value > other || ((is_nan || value == other) && at < there);
}

// maps: boxes x keypoints x side x side; box: boxes x 4, xyxy; positions: boxes x keypoints x 2.
extern "C" __global__ void decode_keypoints(const SCALAR* maps, const float* box, float* positions,
                                            float* logits, float* shares, long long keypoints,
                                            long long side) {
  extern __shared__ char shared_memory[];
  __shared__ float best_values[kThreads], totals[kThreads];
  __shared__ long long best_places[kThreads];
  const long long stride = side + 1;  // columns of cells fall into different banks
  float* cells = reinterpret_cast<float*>(shared_memory);
  float* column_weights = cells + side * stride;
  int* column_cells = reinterpret_cast<int*>(column_weights + kTaps * kColumns);

  const long long map = blockIdx.x;
  const int thread = threadIdx.x;
  const float* corners = box + map / keypoints * 4;
  const float left = corners[0], top = corners[1];
  const float width = fmaxf(corners[2] - left, 1.0f), height = fmaxf(corners[3] - top, 1.0f);
  bool placed = width <= kLongestSide && height <= kLongestSide;
  for (int i = 0; i < 4; ++i) placed = placed && corners[i] - corners[i] == 0.0f;
  if (!placed) {
    if (thread == 0) {
      const float none = __int_as_float(0x7fc00000);
      positions[2 * map] = positions[2 * map + 1] = logits[map] = shares[map] = none;
    }
    return;
  }
  const long long columns = (long long)ceilf(width), rows = (long long)ceilf(height);
  for (long long i = thread; i < side * side; i += kThreads)
    cells[i / side * stride + i % side] = load(maps + map * side * side + i);

  float best = -__int_as_float(0x7f800000);
  long long place = rows * columns;
  for (long long first = 0; first < columns; first += kColumns) {
    const int count = (int)(columns - first < kColumns ? columns - first : kColumns);
    __syncthreads();
    for (int x = thread; x < count; x += kThreads)
      column_cells[x] =
          (int)bicubic_taps(first + x, columns, side, column_weights + kTaps * x);
    __syncthreads();
    for (long long y = thread; y < rows; y += kThreads) {
      float down[kTaps], blended[kTaps] = {};
      const long long row = bicubic_taps(y, rows, side, down);
      int cell = -2;
      bool lower = false;  // whether all pixels over these cells are below the best one
      for (int x = 0; x < count; ++x) {
        if (column_cells[x] != cell) {
          cell = column_cells[x];
          float most, least;
          for (int j = 0; j < kTaps; ++j) {
            const float* column = cells + clamped(cell + j - 1, side);
            blended[j] = down[0] * column[clamped(row - 1, side) * stride] +
                         down[1] * column[clamped(row, side) * stride] +
                         down[2] * column[clamped(row + 1, side) * stride] +
                         down[3] * column[clamped(row + 2, side) * stride];
            most = j == 0 ? blended[j] : fmaxf(most, blended[j]);
            least = j == 0 ? blended[j] : fminf(least, blended[j]);
          }
          // The weights below zero sum up to no more than the overshoot.
          lower = most + kOvershoot * (most - least) + kRounding * (fabsf(most) + fabsf(least)) <
                  best;
          // fmaxf passes over NaN: what is not finite is looked at.
          for (int j = 0; j < kTaps; ++j) lower = lower && blended[j] - blended[j] == 0.0f;
        }
        if (lower) continue;
        const float* across = column_weights + kTaps * x;
        const float value = across[0] * blended[0] + across[1] * blended[1] +
                            across[2] * blended[2] + across[3] * blended[3];
        const long long at = y * columns + first + x;
        if (better(value, at, best, place)) {
          best = value;
          place = at;
        }
      }
    }
  }
  best_values[thread] = best;
  best_places[thread] = place;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (thread < half && better(best_values[thread + half], best_places[thread + half],
                                best_values[thread], best_places[thread])) {
      best_values[thread] = best_values[thread + half];
      best_places[thread] = best_places[thread + half];
    }
    __syncthreads();
  }
  const float peak = best_values[0];
  float total = 0.0f;
  for (long long i = thread; i < side * side; i += kThreads)
    total += expf(cells[i / side * stride + i % side] - peak);
  totals[thread] = total;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (thread < half) totals[thread] += totals[thread + half];
    __syncthreads();
  }
  if (thread != 0) return;
  const long long at = best_places[0];
  positions[2 * map] = left + ((float)(at % columns) + 0.5f) * (width / (float)columns);
  positions[2 * map + 1] = top + ((float)(at / columns) + 0.5f) * (height / (float)rows);
  logits[map] = peak;
  // A peak so far above its cells that their sum vanishes still has a finite share.
  shares[map] = 1.0f / (totals[0] < 1.17549435e-38f ? 1.17549435e-38f : totals[0]);
}

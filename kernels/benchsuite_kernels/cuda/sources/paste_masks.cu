// Mask head outputs into images, as packed bits; ops/paste_masks.py gives the conventions. Rounded
// step by step as csrc/paste_masks.cpp rounds, so that both give the same bits.
#include "packed_bits.cuh"

// One axis of a box: where pixels sample the mask.
struct Axis {
  float start, extent, cells;
  long long first, last;  // the pixels that may lie in the mask: first to last - 1

  __device__ __forceinline__ void place(float from, float to, long long side, long long size) {
    start = from;
    extent = to - from;
    cells = static_cast<float>(side);
    first = last = 0;
    if (!(extent > 0.0f && isfinite(extent))) return;
    const double beyond = static_cast<double>(extent) / static_cast<double>(side);
    const double limit = static_cast<double>(size);
    first = static_cast<long long>(fmin(fmax(floor(from - beyond), 0.0), limit));
    last = static_cast<long long>(fmin(fmax(ceil(to + beyond), 0.0), limit));
  }

  // The cell whose centre lies before the pixel's, -1 to cells - 1, and how far beyond that the
  // pixel lies; false where it is outside the mask and the zeros round it.
  __device__ __forceinline__ bool sample(long long pixel, int* cell, float* beyond) const {
    const float centre = static_cast<float>(pixel) + 0.5f;
    const float grid = (centre - start) / extent * 2.0f - 1.0f;
    const float at = fmaf(grid + 1.0f, cells / 2.0f, -0.5f);
    const float below = floorf(at);
    if (!(below >= -1.0f && below < cells)) return false;
    *cell = static_cast<int>(below);
    *beyond = at - below;
    return true;
  }
};

__device__ __forceinline__ float cell_or_zero(const float* mask, int side, int y, int x) {
  return x >= 0 && x < side && y >= 0 && y < side ? mask[y * side + x] : 0.0f;
}

__device__ __forceinline__ bool inside(const float* mask, int side, const Axis& rows,
                                       const Axis& columns, long long y, long long x,
                                       float threshold) {
  int row, column;
  float down, right;
  if (!rows.sample(y, &row, &down) || !columns.sample(x, &column, &right)) return false;
  const float up = 1.0f - down, left = 1.0f - right;
  float value = cell_or_zero(mask, side, row, column) * (up * left);
  value = fmaf(cell_or_zero(mask, side, row, column + 1), up * right, value);
  value = fmaf(cell_or_zero(mask, side, row + 1, column), down * left, value);
  value = fmaf(cell_or_zero(mask, side, row + 1, column + 1), down * right, value);
  return value >= threshold;
}

// masks: count x side x side; boxes: count x 4; sizes: height and width of each of `images`.
// bits: count x words 64-bit words, zeros. `parts` blocks a mask, a warp a 32-bit word at a time.
extern "C" __global__ void paste_masks(const float* masks, const float* boxes,
                                       const long long* image_index, const long long* sizes,
                                       long long count, long long side, long long images,
                                       long long words, long long parts, float threshold,
                                       unsigned* bits) {
  const int lane = threadIdx.x % 32;
  const long long warps = parts * (blockDim.x / 32);
  for (long long block = blockIdx.x; block < count * parts; block += gridDim.x) {
    const long long index = block / parts, image = image_index[index];
    if (image < 0 || image >= images) continue;
    const long long height = sizes[2 * image], width = sizes[2 * image + 1];
    const float* box = boxes + 4 * index;
    Axis rows, columns;
    rows.place(box[1], box[3], side, height);
    columns.place(box[0], box[2], side, width);
    if (rows.first >= rows.last || columns.first >= columns.last) continue;
    const float* mask = masks + index * side * side;
    // Each column of pixels touches at most so many words.
    const long long touched = (rows.last - rows.first + WORD_BITS - 2) / WORD_BITS + 1;
    const long long tasks = touched * (columns.last - columns.first);
    const long long warp = block % parts * (blockDim.x / 32) + threadIdx.x / 32;
    for (long long task = warp; task < tasks; task += warps) {
      const long long column = columns.first + task / touched;
      const long long begin = column * height + rows.first;
      const long long word = begin / WORD_BITS + task % touched;
      if (word > (begin + rows.last - rows.first - 1) / WORD_BITS) continue;
      if (word >= 2 * words) continue;
      // A word that reaches back into the column before has been done with that one.
      const long long before = begin - height + rows.last - rows.first - 1;
      if (column > columns.first && word <= before / WORD_BITS) continue;
      // 32 bits hold them, and divide faster.
      const unsigned pixel = static_cast<unsigned>(word * WORD_BITS + lane);
      const unsigned x = pixel / static_cast<unsigned>(height);
      const unsigned y = pixel - x * static_cast<unsigned>(height);
      const bool set = y >= rows.first && y < rows.last && x >= columns.first && x < columns.last &&
                       inside(mask, static_cast<int>(side), rows, columns, y, x, threshold);
      const unsigned found = __ballot_sync(ALL_BITS, set);
      if (lane == 0 && found) bits[index * 2 * words + word] = found;
    }
  }
}

// The class of every pixel from logits that are resized twice: a thread a pixel, which adds up nine
// logits a class and writes nothing but the best one's number.
#include "bilinear_twice.cuh"
#include "scalar.cuh"

template <class Label>
__device__ __forceinline__ void label_pixels(const SCALAR* logits, Label* labels, long long classes,
                                             long long cells_high, long long cells_wide,
                                             long long of_class, long long of_row,
                                             long long of_column, long long stride,
                                             long long resized_height, long long resized_width,
                                             long long height, long long width) {
  for (long long y = blockIdx.y; y < height; y += gridDim.y) {
    const TwiceTaps rows = twice_taps(y, cells_high, stride, resized_height, height);
    for (long long x = (long long)blockIdx.x * blockDim.x + threadIdx.x; x < width;
         x += (long long)gridDim.x * blockDim.x) {
      const TwiceTaps columns = twice_taps(x, cells_wide, stride, resized_width, width);
      float best = 0.0f;
      long long label = 0;
      for (long long k = 0; k < classes; ++k) {
        float blended[3];
        for (int i = 0; i < 3; ++i) {
          const SCALAR* cell = logits + k * of_class + columns.cell[i] * of_column;
          blended[i] = rows.weight[0] * load(cell + rows.cell[0] * of_row) +
                       rows.weight[1] * load(cell + rows.cell[1] * of_row) +
                       rows.weight[2] * load(cell + rows.cell[2] * of_row);
        }
        const float value = columns.weight[0] * blended[0] + columns.weight[1] * blended[1] +
                            columns.weight[2] * blended[2];
        // NaN is better than all numbers, and the first one stays.
        const bool better = value > best || (value != value && best == best);
        if (k == 0 || better) {
          best = value;
          label = k;
        }
      }
      labels[y * width + x] = (Label)label;
    }
  }
}

extern "C" __global__ void semantic_argmax_uint8(
    const SCALAR* logits, unsigned char* labels, long long classes, long long cells_high,
    long long cells_wide, long long of_class, long long of_row, long long of_column,
    long long stride, long long resized_height, long long resized_width, long long height,
    long long width) {
  label_pixels(logits, labels, classes, cells_high, cells_wide, of_class, of_row, of_column, stride,
               resized_height, resized_width, height, width);
}

extern "C" __global__ void semantic_argmax_int32(
    const SCALAR* logits, int* labels, long long classes, long long cells_high,
    long long cells_wide, long long of_class, long long of_row, long long of_column,
    long long stride, long long resized_height, long long resized_width, long long height,
    long long width) {
  label_pixels(logits, labels, classes, cells_high, cells_wide, of_class, of_row, of_column, stride,
               resized_height, resized_width, height, width);
}

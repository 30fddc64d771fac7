// Decoded images to a batch by Pillow's bilinear filter: along rows, rounded to 8 bits, then along
// columns, rounded again, normalised and padded. Weights are formed where they are needed, in
// double as Pillow forms them.
#include "scalar.cuh"

constexpr int kPrecision = 22;  // bits of a weight behind the point
constexpr int kHalf = 1 << (kPrecision - 1);

// The pixels of a line that make up one of the resized line: a triangle over its place.
struct Triangle {
  double centre, narrowed, total;
  long long first, count;

  __device__ double share(long long tap) const {
    const double away = ((double)(tap + first) - centre + 0.5) * narrowed;
    const double height = 1.0 - (away < 0.0 ? -away : away);
    return height < 0.0 ? 0.0 : height;
  }

  __device__ int weight(long long tap) const {
    const double of_all = total != 0.0 ? share(tap) / total : share(tap);
    return (int)(0.5 + of_all * (double)(1 << kPrecision));
  }
};

__device__ Triangle triangle(long long target, long long from, long long to) {
  const double scale = (double)from / (double)to;
  const double widened = scale < 1.0 ? 1.0 : scale;
  Triangle found;
  found.centre = ((double)target + 0.5) * scale;
  found.narrowed = 1.0 / widened;
  const long long first = (long long)(found.centre - widened + 0.5);
  const long long end = (long long)(found.centre + widened + 0.5);
  found.first = first < 0 ? 0 : first;
  found.count = (end < from ? end : from) - found.first;
  found.total = 0.0;
  for (long long tap = 0; tap < found.count; ++tap) found.total += found.share(tap);
  return found;
}

// image: height x width x 3; rows: height x new_width x 3, with the channels of the batch.
extern "C" __global__ void resize_image_rows(const unsigned char* image, unsigned char* rows,
                                             long long height, long long width,
                                             long long new_width, long long reversed) {
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long x = (long long)blockIdx.x * blockDim.x + threadIdx.x; x < new_width; x += step) {
    const Triangle across = triangle(x, width, new_width);
    for (long long y = blockIdx.y; y < height; y += gridDim.y) {
      int sums[3] = {kHalf, kHalf, kHalf};
      const unsigned char* pixel = image + 3 * (y * width + across.first);
      for (long long tap = 0; tap < across.count; ++tap) {
        const int weight = across.weight(tap);
        for (int c = 0; c < 3; ++c) sums[c] += weight * pixel[3 * tap + (reversed ? 2 - c : c)];
      }
      for (int c = 0; c < 3; ++c)
        rows[3 * (y * new_width + x) + c] = (unsigned char)(sums[c] >> kPrecision);
    }
  }
}

// rows: height x new_width x 3; batch: one image's place in it, batch_height x batch_width, with so
// many values between neighbours in each direction.
extern "C" __global__ void normalise_image_columns(
    const unsigned char* rows, SCALAR* batch, long long height, long long new_height,
    long long new_width, long long batch_height, long long batch_width, long long of_channel,
    long long of_row, long long of_column, float mean0, float mean1, float mean2, float std0,
    float std1, float std2) {
  const float means[3] = {mean0, mean1, mean2}, stds[3] = {std0, std1, std2};
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long y = blockIdx.y; y < batch_height; y += gridDim.y) {
    const bool inside = y < new_height;
    const Triangle down = triangle(inside ? y : 0, height, new_height);
    for (long long x = (long long)blockIdx.x * blockDim.x + threadIdx.x; x < batch_width;
         x += step) {
      SCALAR* place = batch + y * of_row + x * of_column;
      if (!inside || x >= new_width) {
        for (int c = 0; c < 3; ++c) store(place + c * of_channel, 0.0f);
        continue;
      }
      int sums[3] = {kHalf, kHalf, kHalf};
      for (long long tap = 0; tap < down.count; ++tap) {
        const int weight = down.weight(tap);
        const unsigned char* pixel = rows + 3 * ((down.first + tap) * new_width + x);
        for (int c = 0; c < 3; ++c) sums[c] += weight * pixel[c];
      }
      for (int c = 0; c < 3; ++c)
        store(place + c * of_channel,
              ((float)(sums[c] >> kPrecision) - means[c]) / stds[c]);
    }
  }
}

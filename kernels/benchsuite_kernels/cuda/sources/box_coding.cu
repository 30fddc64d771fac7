// Boxes of deltas or distances, and the other way round. Row i has the reference (i / repeat) %
// count; without weights (`distances` not 0) values are distances.
#include "box_coding.cuh"
#include "scalar.cuh"

__device__ __forceinline__ benchsuite::Corners corners_at(const float* boxes, long long row) {
  const float* const at = boxes + row * 4;
  return {at[0], at[1], at[2], at[3]};
}

extern "C" __global__ void decode_boxes(const SCALAR* values, const float* boxes, float* decoded,
                                        long long rows, long long count, long long repeat,
                                        long long distances, float weight_x, float weight_y,
                                        float weight_w, float weight_h) {
  const benchsuite::BoxCoding coding{{weight_x, weight_y, weight_w, weight_h}, distances != 0};
  const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long row = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; row < rows;
       row += stride) {
    float own[4];
    for (int i = 0; i < 4; ++i) own[i] = load(values + row * 4 + i);
    const benchsuite::Corners box =
        benchsuite::coded_box(coding, own, corners_at(boxes, row / repeat % count));
    float* const at = decoded + row * 4;
    at[0] = box.x1;
    at[1] = box.y1;
    at[2] = box.x2;
    at[3] = box.y2;
  }
}

extern "C" __global__ void encode_boxes(const float* targets, const float* boxes, float* values,
                                        long long rows, long long count, long long repeat,
                                        long long distances, float weight_x, float weight_y,
                                        float weight_w, float weight_h) {
  const benchsuite::BoxCoding coding{{weight_x, weight_y, weight_w, weight_h}, distances != 0};
  const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long row = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; row < rows;
       row += stride)
    benchsuite::box_values(coding, corners_at(targets, row),
                           corners_at(boxes, row / repeat % count), values + row * 4);
}

// Overlaps of every box with every other: A x B. A block works on a tile of kRows boxes and
// kColumns others, of which each thread reads one.
#include "nms_boxes.cuh"

constexpr int kRows = 32;
constexpr int kColumns = 256;

// rows: shared memory for `kRows`.
template <class Box>
__device__ void pairwise_overlaps(Box* rows, const typename Box::Number* boxes,
                                  const typename Box::Number* others, float* overlaps,
                                  long long count, long long other_count) {
  const long long tiles = (other_count + kColumns - 1) / kColumns;
  const long long first = blockIdx.x / tiles * kRows;
  const long long column = blockIdx.x % tiles * kColumns + threadIdx.x;
  const long long left = count - first;
  const int size = left < kRows ? static_cast<int>(left) : kRows;
  const int thread = threadIdx.x;
  if (thread < size) rows[thread] = Box::load(boxes + (first + thread) * Box::kNumbers);
  __syncthreads();
  if (column >= other_count) return;
  const Box other = Box::load(others + column * Box::kNumbers);
  for (int row = 0; row < size; ++row) {
    const float overlap = Box::overlap(rows[row], other);
    overlaps[(first + row) * other_count + column] = overlap > 0 ? overlap : 0.0f;
  }
}

extern "C" __global__ void pairwise_iou_upright(const float* boxes, const float* others,
                                                float* overlaps, long long count,
                                                long long other_count) {
  __shared__ UprightBox rows[kRows];
  pairwise_overlaps(rows, boxes, others, overlaps, count, other_count);
}

extern "C" __global__ void pairwise_iou_rotated(const double* boxes, const double* others,
                                                float* overlaps, long long count,
                                                long long other_count) {
  __shared__ TurnedBox rows[kRows];
  pairwise_overlaps(rows, boxes, others, overlaps, count, other_count);
}

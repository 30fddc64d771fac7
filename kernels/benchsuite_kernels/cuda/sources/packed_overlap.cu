// Areas and intersections of packed masks.
#include "packed_bits.cuh"

// A block a mask of `words` 64-bit words.
extern "C" __global__ void packed_areas(const unsigned* bits, long long words, long long* areas) {
  __shared__ long long sums[32];
  const unsigned* mask = bits + blockIdx.x * 2 * words;
  long long inside = 0;
  for (long long word = threadIdx.x; word < 2 * words; word += blockDim.x)
    inside += __popc(mask[word]);
  const long long sum = block_sum(inside, sums);
  if (threadIdx.x == 0) areas[blockIdx.x] = sum;
}

// A block of 8 warps does 8 x 8 pairs: each warp compares one mask of `a` with eight of `b`.
extern "C" __global__ void packed_intersections(const unsigned* a, long long a_masks,
                                                const unsigned* b, long long b_masks,
                                                long long words, long long* pixels) {
  const int lane = threadIdx.x % 32;
  const long long row = blockIdx.x * 8LL + threadIdx.x / 32, first = blockIdx.y * 8LL;
  if (row >= a_masks) return;
  const int columns = static_cast<int>(b_masks - first < 8 ? b_masks - first : 8);
  const unsigned* own = a + row * 2 * words;
  const unsigned* other = b + first * 2 * words;
  long long common[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (long long word = lane; word < 2 * words; word += 32) {
    const unsigned set = own[word];
    if (!set) continue;
#pragma unroll
    for (int i = 0; i < 8; ++i)
      if (i < columns) common[i] += __popc(set & other[i * 2 * words + word]);
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    for (int step = 16; step; step /= 2)
      common[i] += __shfl_down_sync(ALL_BITS, common[i], step);
    if (lane == 0 && i < columns) pixels[row * b_masks + first + i] = common[i];
  }
}

// Of `masks` x `words` 64-bit words; a thread a word.
extern "C" __global__ void packed_merge(const long long* bits, long long masks, long long words,
                                        long long intersect, long long* merged) {
  const long long threads = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long word = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; word < words;
       word += threads) {
    long long all = intersect && masks ? -1 : 0;
    for (long long mask = 0; mask < masks; ++mask) {
      const long long own = bits[mask * words + word];
      all = intersect ? all & own : all | own;
    }
    merged[word] = all;
  }
}
